import { canonicalJson } from "./canonical-json.ts";
import { type Descriptor, mediaTypes, type Platform } from "./oci.ts";
import { platformOf } from "./platform.ts";
import { type Converted, convertIndex, formatOf, type ImageFormat } from "./registry/convert.ts";
import { annotationsAt, checkPlatforms, type PlacedAnnotation } from "./registry/placed-annotations.ts";

/** A manifest that an index shall list. */
export interface IndexEntry {
  readonly manifest: Pick<Descriptor, "mediaType" | "digest" | "size" | "annotations">;
  readonly platform: Platform;
}

/**
 * An index of these manifests, in their order; the same ones give the same bytes. Of the annotations it takes those of the levels index and manifest-descriptor. Without a `format` it is a list of Docker's
 * where all manifests are, and nothing is annotated: the list has no place for that, while an OCI index may have manifests of both. Throws PLATFORM_NOT_FOUND for an annotation of a platform that is not there; `name` is for messages.
 */
export function newIndex(
  entries: readonly IndexEntry[],
  annotations: readonly PlacedAnnotation[],
  { name, format }: { readonly name: string; readonly format?: ImageFormat | undefined },
): Converted {
  checkPlatforms(
    annotations,
    entries.map(({ platform }) => platform),
    name,
  );
  const manifests = entries.map(({ manifest: { mediaType, digest, size, annotations: own }, platform }): Descriptor => {
    const all = { ...own, ...annotationsAt(annotations, "manifest-descriptor", platform) };
    return { mediaType, digest, size, platform: platformOf(platform), ...(Object.keys(all).length === 0 ? {} : { annotations: all }) };
  });
  const own = annotationsAt(annotations, "index");
  const isAnnotated = [own, ...manifests.map((one) => one.annotations ?? {})].some((all) => Object.keys(all).length > 0);
  const isDockers = !isAnnotated && manifests.length > 0 && manifests.every(({ mediaType }) => formatOf(mediaType) === "docker");
  const bytes = canonicalJson({
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests,
    ...(Object.keys(own).length === 0 ? {} : { annotations: own }),
  });
  return convertIndex({ mediaType: mediaTypes.index, bytes }, format ?? (isDockers ? "docker" : "oci"));
}
