import { statSync } from "node:fs";
import { type SaveDestination, saveImages } from "../../store/archive/save.ts";
import type { Image } from "../../store/images.ts";
import type { CliIo } from "./cli-io.ts";
import { command } from "./command.ts";
import { nameMeant } from "./image-name.ts";
import { withStore } from "./open-store.ts";
import { storeFlags } from "./store-flag.ts";
import { UsageError } from "./usage-error.ts";

export const save = command(
  {
    name: "save",
    operands: "IMAGE…",
    summary:
      "Write images as an OCI archive, which docker load reads too, or as an OCI image layout directory. A name in the archive is the one given here; an image given by its id keeps all its names.",
    flags: {
      output: {
        short: "o",
        value: "FILE|DIR/",
        help: "Where to write: a file, or a directory that is new or empty (with a slash at the end if it is new)",
      },
      format: {
        value: "FORMAT",
        choices: ["oci-archive", "oci-dir"],
        help: "What to write (oci-dir where --output is a directory, else oci-archive)",
      },
      ...storeFlags,
    },
    foreign: {
      compress: { missing: "layers are written as they are in the store" },
      "multi-image-archive": { short: "m", note: "an archive can always hold several images" },
      platform: { value: true, missing: "of several platforms this machine's is saved" },
      quiet: { short: "q", note: "nothing is printed but the archive" },
      uncompressed: { missing: "layers are written as they are in the store" },
    },
    examples: ["tsbuild save app -o app.tar", "tsbuild save app -o layout/", "tsbuild save app | docker load"],
  },
  { min: 1, max: Number.POSITIVE_INFINITY },
  ({ flags, operands }, io) =>
    withStore(flags, io, async (store) => {
      const destination = destinationOf(flags.output, flags.format, io);
      const images = new Map<string, { image: Image; names: string[] | undefined }>();
      for (const text of operands) {
        const image = await store.images.open(text);
        const name = nameMeant(image, text);
        const found = images.get(image.descriptor.digest);
        if (found === undefined) images.set(image.descriptor.digest, { image, names: name === undefined ? undefined : [name] });
        else if (name === undefined) found.names = undefined;
        else found.names?.push(name);
      }
      const chosen = [...images.values()].map(({ image, names }) => ({ image, ...(names === undefined ? {} : { names }) }));
      await saveImages(store, chosen, destination, { signal: io.signal });
      return 0;
    }),
);

function destinationOf(output: string | undefined, format: "oci-archive" | "oci-dir" | undefined, io: CliIo): SaveDestination {
  if (output === undefined || output === "-") {
    if (format === "oci-dir") throw new UsageError("MISSING_VALUE", "writing a directory: --output must name it");
    if (io.stdout.isTTY)
      throw new UsageError("NOT_A_FILE", "writing an archive to standard output: it is a terminal", { hint: "-o FILE, or redirect it" });
    return { stream: io.stream("stdout") };
  }
  const isDirectory =
    format === undefined
      ? output.endsWith("/") || statSync(output, { throwIfNoEntry: false })?.isDirectory() === true
      : format === "oci-dir";
  return isDirectory ? { directory: output } : { file: output };
}
