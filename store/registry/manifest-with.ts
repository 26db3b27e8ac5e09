import { canonicalJson } from "../canonical-json.ts";
import { digestOf } from "../digest.ts";
import { type Descriptor, type Manifest, mediaTypes } from "../oci.ts";
import { parseManifest } from "../oci-parse.ts";
import { annotateManifest, type Converted, convertLayer, convertManifest, type Document, type ImageFormat } from "./convert.ts";

/** What an image is without its layers. */
export interface ImageParts {
  readonly rawConfig: Buffer;
  /** Of the manifest; added to those that it has. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Where there is one already: it stays byte for byte when nothing asks for another. */
  readonly manifest?: Document;
}

/** The manifest of an image with these layers, in a format. Throws NOT_CONVERTIBLE, INVALID_DOCUMENT. */
export function manifestWith(
  { manifest, annotations = {}, rawConfig }: ImageParts,
  layers: readonly Descriptor[],
  format: ImageFormat,
): Converted {
  const before = manifest === undefined ? newManifest(rawConfig) : parsed(manifest);
  const isSame = before.layers.length === layers.length && layers.every(({ digest }, i) => digest === before.layers[i]?.digest);
  if (manifest !== undefined && isSame) return annotateManifest(manifest, annotations, format);
  const bytes = canonicalJson({ ...before, layers: layers.map((layer) => convertLayer(layer, "oci")) });
  return annotateManifest({ mediaType: mediaTypes.manifest, bytes }, annotations, format);
}

function newManifest(rawConfig: Buffer): Manifest {
  const config = { mediaType: mediaTypes.config, digest: digestOf(rawConfig), size: rawConfig.length };
  return { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers: [] };
}

function parsed(manifest: Document): Manifest {
  return parseManifest(convertManifest(manifest, "oci").bytes, digestOf(manifest.bytes));
}
