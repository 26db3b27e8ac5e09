import { type ConfigDifference, diffConfigs } from "../store/config-diff.ts";
import type { Digest } from "../store/digest.ts";
import type { Image } from "../store/images.ts";
import { diffRootfs, type FileDifference } from "../store/layer/rootfs-diff.ts";
import { openRootfs } from "../store/open-rootfs.ts";
import type { Store } from "../store/store.ts";

/** What two images of different ids do not have in common: the first thing found, from the bottom up. */
export type ImageDifference =
  | {
      readonly of: "layer";
      /** From 0, bottom first. */
      readonly layer: number;
      /** Absent where the image ends below. */
      readonly a?: Digest;
      readonly b?: Digest;
      /** Absent where both have the same files, otherwise written, and where one has no such layer. One that differs in more than its time goes first. */
      readonly file?: FileDifference;
    }
  | { readonly of: "config"; readonly fields: readonly ConfigDifference[] }
  /** How they were made is told otherwise, and when; what they are is the same. */
  | { readonly of: "history" };

/** An image, and the store that has all of it. */
export interface StoredImage {
  readonly store: Store;
  readonly image: Image;
}

/** Reads trees only, and of these those up to the first layer that differs. Undefined for the same image. */
export async function firstDifference(a: StoredImage, b: StoredImage): Promise<ImageDifference | undefined> {
  if (a.image.imageId === b.image.imageId) return undefined;
  const count = Math.max(a.image.layers.length, b.image.layers.length);
  for (let layer = 0; layer < count; layer++) {
    const [one, other] = [a.image.layers[layer]?.diffId, b.image.layers[layer]?.diffId];
    if (one === other) continue;
    const file = one === undefined || other === undefined ? undefined : await firstFile(a, b, layer);
    return {
      of: "layer",
      layer,
      ...(one === undefined ? {} : { a: one }),
      ...(other === undefined ? {} : { b: other }),
      ...(file === undefined ? {} : { file }),
    };
  }
  const fields = diffConfigs(a.image.config, b.image.config, { times: false });
  return fields.length > 0 ? { of: "config", fields } : { of: "history" };
}

/** The layers below are the same: what differs up to this one differs in it. */
async function firstFile(a: StoredImage, b: StoredImage, layer: number): Promise<FileDifference | undefined> {
  const upTo = ({ store, image }: StoredImage) => openRootfs(store.layers, image.layers.slice(0, layer + 1));
  let first: FileDifference | undefined;
  for (const difference of diffRootfs(await upTo(a), await upTo(b), { times: true })) {
    if (difference.change !== "changed" || difference.aspects.some((aspect) => aspect !== "time")) return difference;
    first ??= difference;
  }
  return first;
}
