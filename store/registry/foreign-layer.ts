import type { Descriptor } from "../oci.ts";

/** Whether a layer may not be given on (OCI image spec, "Non-Distributable Layers"): whoever needs it gets it from the URLs that the manifest has. */
export function isForeign({ mediaType, urls = [] }: Descriptor): boolean {
  return urls.length > 0 && /\.foreign\.|\.nondistributable\./.test(mediaType);
}
