import { shortened } from "./foreign-text.ts";
import { imageContent, type PlatformImage } from "./image-content.ts";
import type { Image } from "./images.ts";
import { maxManifestBytes, parseManifest } from "./oci-parse.ts";
import { platformText } from "./platform.ts";
import { isAskedForAs } from "./platform-offers.ts";
import { isForeign } from "./registry/foreign-layer.ts";
import type { Store } from "./store.ts";

/** A platform that an image's index lists beside the one that was opened. */
export interface OtherPlatform {
  /** "linux/arm64", for messages; else the manifest's digest. */
  readonly platform: string;
  /** The store has all of it. */
  readonly isHere: boolean;
  /** Asking for its platform means it. */
  readonly isReachable: boolean;
}

/** In the order of the index; none for an image that is listed alone. Throws what reading a damaged image throws. */
export async function otherPlatforms({ blobs }: Pick<Store, "blobs">, { listed, descriptor }: Image): Promise<readonly OtherPlatform[]> {
  const { platforms } = await imageContent(listed, blobs);
  const offers = platforms.map((one) => one.descriptor);
  const others = platforms.filter((one) => one.descriptor.digest !== descriptor.digest);
  return Promise.all(
    others.map(async (one) => ({
      platform: one.platform === undefined ? one.descriptor.digest : shortened(platformText(one.platform)),
      isHere: await isWhole({ blobs }, one),
      isReachable: isAskedForAs(one.descriptor, offers),
    })),
  );
}

async function isWhole({ blobs }: Pick<Store, "blobs">, { descriptor, imageId }: PlatformImage): Promise<boolean> {
  if (imageId === undefined) return false;
  const { config, layers } = parseManifest(await blobs.readBytes(descriptor, maxManifestBytes), descriptor.digest);
  for (const blob of [config, ...layers]) if (!isForeign(blob) && !(await blobs.has(blob))) return false;
  return true;
}
