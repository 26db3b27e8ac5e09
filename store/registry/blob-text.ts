import type { Descriptor } from "../oci.ts";
import { isConfigType } from "../oci-parse.ts";

/** "layer sha256:…": what errors call a blob. */
export function blobText({ mediaType, digest }: Pick<Descriptor, "mediaType" | "digest">): string {
  const kind = isConfigType(mediaType) ? "config" : /\.layer\.|\.rootfs\./.test(mediaType) ? "layer" : "blob";
  return `${kind} ${digest}`;
}
