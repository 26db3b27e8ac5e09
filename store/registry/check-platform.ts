import { TsbuildError } from "../errors.ts";
import type { Abortable } from "../file-bytes.ts";
import type { Image } from "../images.ts";
import type { Platform } from "../oci.ts";
import { isIndexType, parseConfig, parseManifest } from "../oci-parse.ts";
import { platformMatch, platformOf, platformText } from "../platform.ts";
import type { ImageReader } from "./image-graph.ts";
import { isImage } from "./manifest-type.ts";
import { readConfig } from "./read-config.ts";
import type { RemoteManifest } from "./repository.ts";

/**
 * Refuses an image of the store that was opened for a platform and is for another: one without an index is opened whatever it is for. Throws PLATFORM_NOT_FOUND; `name` is for its
 * message.
 */
export function checkStoredPlatform({ listed, config }: Image, wanted: Platform, name: string): void {
  // An index says itself which of its manifests are for whom.
  if (!isIndexType(listed.mediaType)) checkPlatform(config, wanted, `store:${name}`);
}

/** The same of what a name means elsewhere, which reads its config. What is no image is for no platform, and passes. */
export async function checkNamedPlatform(reader: ImageReader, root: RemoteManifest, wanted: Platform, options: Abortable): Promise<void> {
  const { mediaType, digest } = root.descriptor;
  if (isIndexType(mediaType)) return;
  const manifest = parseManifest(root.bytes, digest);
  if (!isImage(manifest)) return;
  const config = await readConfig(manifest.config, () => reader.download(manifest.config, options));
  checkPlatform(parseConfig(config, manifest.config.digest), wanted, reader.label);
}

function checkPlatform(config: Platform, wanted: Platform, label: string): void {
  if (platformMatch(platformOf(config), wanted) !== undefined) return;
  throw new TsbuildError(
    "PLATFORM_NOT_FOUND",
    `reading image ${label}: it is for ${platformText(platformOf(config))} only, not ${platformText(wanted)}`,
  );
}
