import type { Image } from "../../store/images.ts";
import { familiarName, parseReference, type Reference, sameRepository } from "../../store/reference.ts";
import { pushStored } from "../../store/registry/push-stored.ts";
import { parsePlatform } from "../plan/platform.ts";
import { rewriteNotes } from "../rewrite-note.ts";
import { command } from "./command.ts";
import { nameMeant } from "./image-name.ts";
import { layerFormFlags, readLayerForm } from "./layer-form.ts";
import { explainingNames, hubHint } from "./name-hint.ts";
import { withStore } from "./open-store.ts";
import { readPlacedAnnotations } from "./placed-annotations.ts";
import { openRegistryFor, registryFlags } from "./registry-flags.ts";
import { readRemoteName } from "./remote-name.ts";
import { storeFlags } from "./store-flag.ts";
import { showTransfers } from "./transfers.ts";
import { UsageError } from "./usage-error.ts";
import { readPlatform } from "./values.ts";

export const push = command(
  {
    name: "push",
    operands: "IMAGE [NAME…]",
    summary:
      "Send an image of the store to registries, under its own name or under others. What a registry has is not sent. Prints each repository's name with the image's digest.",
    flags: {
      annotation: {
        value: "[LEVEL:]KEY=VALUE",
        many: true,
        help: "Annotation of the image's manifest, of each platform's where there are several; LEVEL is manifest, index or manifest-descriptor (what the index says of the manifest), with manifest[linux/amd64] of one platform",
      },
      ...layerFormFlags,
      compression: { ...layerFormFlags.compression, help: "What becomes of plain layers of ours; others stay as they are (gzip)" },
      format: { value: "FORMAT", choices: ["oci", "docker"], help: "Media types of the manifest (those that the image has)" },
      platform: { value: "OS/ARCH", help: "Of an image for several platforms only this one (all that are there)" },
      quiet: { short: "q", help: "Show no progress" },
      ...registryFlags,
      ...storeFlags,
    },
    foreign: {
      "all-tags": { short: "a", missing: "name the tags: tsbuild push IMAGE NAME…" },
      creds: { value: true, missing: "tsbuild login keeps credentials, and none are in the list of processes" },
      "compression-format": { value: true, off: "gzip", missing: "--compression is gzip, zstd or none" },
      "disable-content-trust": { note: "content trust is not used" },
      digestfile: { value: true, missing: "the digest is printed on standard output" },
      "remove-signatures": { note: "signatures are artifacts of their own and are not pushed with an image" },
    },
    examples: ["tsbuild push registry.example/app:v1", "tsbuild push app registry.example/app:v1 registry.example/app:latest"],
  },
  { min: 1, max: Number.POSITIVE_INFINITY },
  ({ flags, operands: [text = "", ...names] }, io) => {
    const platform = flags.platform === undefined ? undefined : parsePlatform(readPlatform("--platform", flags.platform));
    const placedAnnotations = readPlacedAnnotations(flags.annotation ?? []);
    const plain = names.map((name) => name.replace(/^docker:\/\//, ""));
    const given = plain.map(readRemoteName);
    const form = readLayerForm(flags);
    return withStore(flags, io, async (store) => {
      const destinations = given.length > 0 ? given : [ownName(await store.images.open(text, platform), text)];
      await using registry = await openRegistryFor(flags, io);
      const { digest } = await showTransfers(io, flags, ({ onEvent, onNote }) => {
        rewriteNotes(registry, destinations).forEach(onNote);
        return explainingNames(plain.length > 0 ? plain : [text], hubHint, () =>
          pushStored(store, registry, text, destinations, {
            placedAnnotations,
            ...form,
            format: flags.format,
            platform,
            signal: io.signal,
            onEvent,
            onNote,
          }),
        );
      });
      if (!flags.quiet) for (const reference of destinations) io.stderr.write(`pushed ${familiarName(reference)}\n`);
      for (const { registry, repository } of repositoriesOf(destinations)) {
        io.stdout.write(`${familiarName({ registry, repository, digest })}\n`);
      }
      return 0;
    });
  },
);

/** Where an image goes when nothing else is said. An id says it too little: it could well be read as a name of Docker Hub. */
function ownName(image: Image, text: string): Reference {
  const name = nameMeant(image, text);
  if (name !== undefined) return parseReference(name);
  throw new UsageError("WRONG_OPERANDS", `reading the command line: "${text}" does not say where the image goes`, {
    hint: `tsbuild push ${text} NAME`,
  });
}

function repositoriesOf(references: readonly Reference[]): readonly Reference[] {
  return references.filter((reference, i) => references.findIndex((other) => sameRepository(other, reference)) === i);
}
