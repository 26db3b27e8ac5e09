import { type SavedImage, saveImages } from "../../store/archive/save.ts";
import type { Image } from "../../store/images.ts";
import type { Platform } from "../../store/oci.ts";
import { type OtherPlatform, otherPlatforms } from "../../store/other-platforms.ts";
import { checkStoredPlatform } from "../../store/registry/check-platform.ts";
import type { Store } from "../../store/store.ts";
import { archiveDestination } from "./archive-destination.ts";
import type { CliIo } from "./cli-io.ts";
import { command } from "./command.ts";
import { nameMeant } from "./image-name.ts";
import { layerFormFlags, readLayerForm } from "./layer-form.ts";
import { note } from "./note.ts";
import { withStore } from "./open-store.ts";
import { platformFlags, platformOfFlag } from "./platform-flag.ts";
import { storeFlags } from "./store-flag.ts";

export const save = command(
  {
    name: "save",
    operands: "IMAGE…",
    summary:
      "Write images as an OCI archive, as an archive for docker load of any age, or as an OCI image layout directory; both archives can be read by docker load and by OCI tools. A name in the archive is the one given here; an image given by its id keeps all its names.",
    flags: {
      output: {
        short: "o",
        value: "FILE|DIR/",
        help: "Where to write: a file, or a directory that is new or empty (with a slash at the end if it is new)",
      },
      format: {
        value: "FORMAT",
        choices: ["oci-archive", "docker-archive", "oci-dir", "oci", "docker"],
        help: "What to write; oci and docker are the archives (oci-dir where --output is a directory, else oci)",
      },
      ...platformFlags,
      ...layerFormFlags,
      ...storeFlags,
    },
    foreign: {
      compress: { missing: "--compression gzip compresses the layers" },
      "multi-image-archive": { short: "m", note: "an archive can always hold several images" },
      quiet: { short: "q", note: "nothing is printed but the archive" },
      uncompressed: { missing: "--compression none --force-compression writes plain layers" },
    },
    examples: ["tsbuild save app -o app.tar", "tsbuild save app -o layout/", "tsbuild save app | docker load"],
  },
  { min: 1, max: Number.POSITIVE_INFINITY },
  ({ flags, operands }, io) =>
    withStore(flags, io, async (store) => {
      const isDirectory = flags.format === "oci-dir";
      const kind = flags.format === undefined ? undefined : isDirectory ? "directory" : "archive";
      const destination = archiveDestination(flags.output, kind, io);
      const layers = flags.compression === undefined && !flags["force-compression"] ? undefined : readLayerForm(flags);
      await saveImages(store, await chosenImages(store, operands, platformOfFlag(flags), io), destination, {
        format: flags.format?.startsWith("docker") ? "docker" : "oci",
        ...(layers === undefined ? {} : { layers }),
        signal: io.signal,
      });
      return 0;
    }),
);

/** Each image once, under the names that it is given by; one that is given by its id keeps all that it has. */
async function chosenImages(
  store: Store,
  operands: readonly string[],
  platform: Platform | undefined,
  io: CliIo,
): Promise<readonly SavedImage[]> {
  const images = new Map<string, { image: Image; names: string[] | undefined }>();
  for (const text of operands) {
    const image = await store.images.open(text, platform);
    if (platform !== undefined) checkStoredPlatform(image, platform, text);
    const name = nameMeant(image, text);
    const found = images.get(image.descriptor.digest);
    if (found === undefined) {
      images.set(image.descriptor.digest, { image, names: name === undefined ? undefined : [name] });
      if (platform === undefined) noteLeftOut(text, await otherPlatforms(store, image), io);
    } else if (name === undefined) found.names = undefined;
    else found.names?.push(name);
  }
  return [...images.values()].map(({ image, names }) => ({ image, ...(names === undefined ? {} : { names }) }));
}

/** An archive has one platform of an image, so that every `docker load` can read it. */
function noteLeftOut(name: string, others: readonly OtherPlatform[], io: CliIo): void {
  for (const { platform, isHere, isReachable } of others) {
    const why = !isHere
      ? ": it is not in the store"
      : isReachable
        ? `: --platform ${platform} takes it instead, tsbuild copy takes all`
        : "";
    note(io, `${name}: ${platform} is left out of the archive${why}`);
  }
}
