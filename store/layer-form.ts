import type { LayerCompression } from "./compressors.ts";
import type { Digest } from "./digest.ts";
import type { Descriptor } from "./oci.ts";

/** In what form layers are given away. */
export interface LayerForm {
  /** What becomes of plain tars of ours. Layers that are compressed already, and those that came from a registry, stay as they are. */
  readonly compression: "gzip" | "zstd" | "none";
  /** Absent: the compressor's default. What is compressed already is not looked at for it. */
  readonly compressionLevel?: number | undefined;
  /** Layers of another compression are written anew too, wherever they came from. Absent: false. */
  readonly forceCompression?: boolean | undefined;
}

/** What is to be done with a layer: nothing, or its plain tar in this form. */
export type FormChange = "none" | "plain" | LayerCompression;

/** `isOurs`: the layer was made here, so that nobody knows it by the digest that it has now. */
export function formChange(
  { diffId, blob }: { readonly diffId: Digest; readonly blob: Descriptor },
  isOurs: boolean,
  { compression, compressionLevel: level, forceCompression = false }: LayerForm,
): FormChange {
  const now = compressionOf(diffId, blob);
  if (now === compression || !(forceCompression || (now === "none" && isOurs))) return "none";
  return compression === "none" ? "plain" : { kind: compression, level };
}

export function compressionOf(diffId: Digest, { digest, mediaType }: Descriptor): "gzip" | "zstd" | "none" {
  if (digest === diffId) return "none";
  return mediaType.endsWith("zstd") ? "zstd" : "gzip";
}
