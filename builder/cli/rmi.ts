import { isSystemError, TsbuildError } from "../../runtime-addon/index.ts";
import { listContainers } from "../../store/containers.ts";
import { hexOf } from "../../store/digest.ts";
import type { Image, ImageStore, ImageSummary } from "../../store/images.ts";
import { nameSystemError } from "../../store/name-system-error.ts";
import type { Store } from "../../store/store.ts";
import { formatBytes } from "../progress/measures.ts";
import { harmless } from "../progress/terminal-text.ts";
import type { CliIo } from "./cli-io.ts";
import { command } from "./command.ts";
import { nameMeant } from "./image-name.ts";
import { note } from "./note.ts";
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
      "no-prune": { note: "layers are removed by tsbuild prune only" },
      platform: { value: true, missing: "a name goes with all its platforms" },
    },
    examples: ["tsbuild rmi app:v1", "tsbuild rmi -f 3fa85f64"],
  },
  { min: 1, max: Number.POSITIVE_INFINITY },
  ({ flags, operands }, io) =>
    withStore(flags, io, async (store) => {
      const { images, root } = store;
      let code = 0;
      let removed = false;
      let freedBytes = 0;
      for (const text of operands) {
        try {
          const gone = await removeImage(images, text, flags.force ?? false);
          if (gone.imageId !== undefined) await noteContainers(root, gone.manifestDigest, io);
          for (const name of gone.names) io.stdout.write(`untagged ${harmless(name, { colors: false })}\n`);
          if (gone.imageId !== undefined) io.stdout.write(`removed ${gone.imageId}\n`);
          removed ||= gone.imageId !== undefined;
          freedBytes += gone.freedBytes;
        } catch (error) {
          // The others are removed all the same, as docker rmi does.
          code = reportError(nameSystemError(error, root), io);
        }
      }
      if (removed) await noteSpace(store, freedBytes, io);
      return code;
    }),
);

/** Layers go by prune only: an image may come back by its build cache. `freedBytes`: of what no listed image has now. */
async function noteSpace(store: Store, freedBytes: number, io: CliIo): Promise<void> {
  const freed = freedBytes === 0 ? "all of it is in other images too" : `${formatBytes(freedBytes)} are in no image any more`;
  try {
    const { collectGarbage } = await import("../../store/gc/collect.ts");
    const now = await collectGarbage(store, { dryRun: true });
    const all = await collectGarbage(store, { dryRun: true, all: true });
    note(
      io,
      `${freed}; tsbuild prune gives back ${formatBytes(now.totalBytes)} of the store, tsbuild prune --all with all build cache ${formatBytes(all.totalBytes)}`,
    );
  } catch (error) {
    // The images are removed, whatever state the others are in.
    if (!(error instanceof TsbuildError || isSystemError(error))) throw error;
    note(io, `${freed}; the space comes back with tsbuild prune`);
  }
}

/** What a kept container stands on stays, whether it is listed or not. */
async function noteContainers(root: string, manifestDigest: string, io: CliIo): Promise<void> {
  const names = (await listContainers(root, () => {})).filter((one) => one.manifestDigest === manifestDigest).map(({ name }) => name);
  if (names.length > 0) note(io, `its layers stay for the kept containers ${names.join(", ")}: tsbuild rm removes them`);
}

/** Names that were taken away, and the image where it went with them. */
interface Removed {
  readonly names: readonly string[];
  readonly imageId?: string;
  readonly manifestDigest: string;
  /** Of the blobs that no listed image has now. */
  readonly freedBytes: number;
}

async function removeImage(images: ImageStore, text: string, force: boolean): Promise<Removed> {
  const image = await images.open(text);
  const name = nameMeant(image, text);
  if (name !== undefined) {
    const isLast = image.names.length === 1;
    const freedBytes = isLast ? await ownBytes(images, image) : 0;
    const isGone = isLast && (await othersOf(images, image)).length === 0;
    await images.untag(name);
    return { names: [name], manifestDigest: image.descriptor.digest, freedBytes, ...(isGone ? { imageId: image.imageId } : {}) };
  }
  const others = isIdOf(image, text) ? await othersOf(images, image) : [];
  if (others.length > 0) {
    const listed = [image.names, ...others.map(({ names }) => names)].map((names) => names.join(", ") || "one without a name").join("; ");
    throw new TsbuildError("IMAGE_HAS_NAMES", `removing ${text}: ${others.length + 1} images of the list have this id: ${listed}`, {
      hint: "give a name, or the digest of a manifest (tsbuild images --digests)",
    });
  }
  if (image.names.length > 1 && !force) {
    throw new TsbuildError("IMAGE_HAS_NAMES", `removing ${text}: the image has several names: ${image.names.join(", ")}`, {
      hint: "remove the names, or give --force",
    });
  }
  const freedBytes = await ownBytes(images, image);
  const isGone = (await othersOf(images, image)).length === 0;
  await images.remove(image);
  return { names: image.names, manifestDigest: image.descriptor.digest, freedBytes, ...(isGone ? { imageId: image.imageId } : {}) };
}

/** Other entries of the list that are the same image: its config, in another manifest. */
async function othersOf(images: ImageStore, { imageId, listed }: Image): Promise<readonly ImageSummary[]> {
  return (await images.list()).filter((one) => one.imageId === imageId && one.listedDigest !== listed.digest);
}

/** Of an image that was found by hex digits, whether they are those of its id, and not of a manifest. */
function isIdOf({ imageId }: Image, text: string): boolean {
  return hexOf(imageId).startsWith(text.replace(/^sha256:/, ""));
}

async function ownBytes(images: ImageStore, { listed }: Image): Promise<number> {
  const summary = (await images.list()).find(({ listedDigest }) => listedDigest === listed.digest);
  return summary?.ownBytes ?? 0;
}
