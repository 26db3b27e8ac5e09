import { parseNewName } from "../../store/image-names.ts";
import { joinImages } from "../../store/join-images.ts";
import { refuseScratch } from "../../store/reference.ts";
import { command } from "./command.ts";
import { note } from "./note.ts";
import { withStore } from "./open-store.ts";
import { readPlacedAnnotations, withoutLevels } from "./placed-annotations.ts";
import { storeFlags } from "./store-flag.ts";
import { UsageError } from "./usage-error.ts";

export const makeIndex = command(
  {
    name: "index",
    operands: "NAME IMAGE…",
    summary:
      "Give a name to several images of the store, built for one platform each: an index that push sends as one image. Of an IMAGE for several platforms all that are in the store are taken. Prints the digest.",
    flags: {
      annotation: {
        value: "[LEVEL:]KEY=VALUE",
        many: true,
        help: "Annotation of the index; LEVEL is index or manifest-descriptor (what the index says of a manifest), with manifest-descriptor[linux/amd64] of one",
      },
      ...storeFlags,
    },
    foreign: {
      all: { note: "of an index all platforms are taken in any case" },
      amend: { note: "a name that exists moves in any case; name it as an IMAGE too, and what it has is kept" },
    },
    examples: [
      "tsbuild index app app:amd64 app:arm64",
      "tsbuild index app app app:riscv64",
      "tsbuild index --annotation org.opencontainers.image.version=1.2 app app:amd64 app:arm64",
    ],
  },
  { min: 2, max: Number.POSITIVE_INFINITY },
  ({ flags, operands: [name = "", ...images] }, io) => {
    refuseScratch(parseNewName(name));
    const annotations = annotationsOf(flags.annotation ?? []);
    return withStore(flags, io, async (store) => {
      const { listed } = await joinImages(store, [name], images, { annotations, onNote: (message) => note(io, message) });
      io.stdout.write(`${listed.digest}\n`);
      return 0;
    });
  },
);

/** Where no level is said the index is meant, as in docker buildx imagetools create. */
function annotationsOf(words: readonly string[]) {
  const annotations = readPlacedAnnotations(words.map((word) => (withoutLevels(word) === word ? `index:${word}` : word)));
  if (annotations.every(({ level }) => level !== "manifest")) return annotations;
  throw new UsageError("UNSUPPORTED_VALUE", "reading --annotation: the images stay as they are, and so do their manifests", {
    hint: "the levels are index and manifest-descriptor",
  });
}
