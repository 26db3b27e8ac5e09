import type { BuildEvent } from "./event.ts";
import { formatBytes } from "./measures.ts";

/** "sha256:…, 12 MB, linux/amd64, linux/arm64: app:latest". */
export function describeImage({ imageId, sizeBytes, platforms = [], names }: Extract<BuildEvent, { type: "image" }>): string {
  const what = [imageId, formatBytes(sizeBytes), ...platforms].join(", ");
  return names.length === 0 ? what : `${what}: ${names.join(", ")}`;
}
