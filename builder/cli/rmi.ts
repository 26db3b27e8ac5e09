import { TsbuildError } from "../../runtime-addon/index.ts";
import type { ImageStore } from "../../store/images.ts";
import { command } from "./command.ts";
import { nameMeant } from "./image-name.ts";
import { withStore } from "./open-store.ts";
import { reportError } from "./report-error.ts";
import { storeFlags } from "./store-flag.ts";

export const rmi = command(
  {
    name: "rmi",
    operands: "IMAGE…",
    summary: "Take names away from images; an image goes with its last name. Given by id, the image goes at once.",
    flags: {
      force: { short: "f", help: "Remove an image given by its id although it has several names" },
      ...storeFlags,
    },
    foreign: {
      all: { short: "a", missing: "images are removed one by one" },
      ignore: { short: "i", missing: "an image that is not there is an error" },
      "no-prune": { note: "layers are never removed together with an image" },
      platform: { value: true, missing: "a name goes with all its platforms" },
    },
    examples: ["tsbuild rmi app:v1", "tsbuild rmi -f 3fa85f64"],
  },
  { min: 1, max: Number.POSITIVE_INFINITY },
  ({ flags, operands }, io) =>
    withStore(flags, io, async ({ images }) => {
      let code = 0;
      for (const text of operands) {
        try {
          for (const line of await removeImage(images, text, flags.force ?? false)) io.stdout.write(`${line}\n`);
        } catch (error) {
          // The others are removed all the same, as docker rmi does.
          code = reportError(error, io);
        }
      }
      return code;
    }),
);

/** Resolves with what was done, a sentence each. */
async function removeImage(images: ImageStore, text: string, force: boolean): Promise<string[]> {
  const image = await images.open(text);
  const name = nameMeant(image, text);
  if (name !== undefined) {
    await images.untag(name);
    return [`untagged ${name}`, ...(image.names.length === 1 ? [`removed ${image.imageId}`] : [])];
  }
  if (image.names.length > 1 && !force) {
    throw new TsbuildError("IMAGE_HAS_NAMES", `removing ${text}: the image has several names: ${image.names.join(", ")}`, {
      hint: "remove the names, or give --force",
    });
  }
  await images.remove(image);
  return [...image.names.map((removed) => `untagged ${removed}`), `removed ${image.imageId}`];
}
