import type { Image } from "./images.ts";
import type { Platform } from "./oci.ts";
import type { Store } from "./store.ts";

/**
 * Opens an image that must stay whole until the store is closed: all that it is made of is pinned, and it is opened again behind that, since only what is
 * there after pinning stays. Throws as ImageStore.open.
 */
export async function openPinned(store: Store, name: string, platform?: Platform): Promise<Image> {
  for (let found = await store.images.open(name, platform); ; ) {
    const { descriptor, listed, manifest, layers } = found;
    const content = layers.flatMap(({ diffId, blob }) => [diffId, blob.digest]);
    await store.pin(listed.digest, descriptor.digest, manifest.config.digest, ...content);
    const again = await store.images.open(name, platform);
    if (again.descriptor.digest === descriptor.digest) return again;
    // The name moved to another image meanwhile: that one it is.
    found = again;
  }
}
