import { type Digest, digestOf } from "../digest.ts";
import { TsbuildError } from "../errors.ts";
import type { Descriptor } from "../oci.ts";
import { isIndexType, parseIndex, parseManifest } from "../oci-parse.ts";
import { annotateIndex, annotateManifest, type Converted, convertIndex, convertManifest, formatOf, type ImageFormat } from "./convert.ts";
import { graphOf, type ImageGraph } from "./image-graph.ts";
import { isImage } from "./manifest-type.ts";
import { annotationsAt, checkPlatforms, type PlacedAnnotation } from "./placed-annotations.ts";
import type { RemoteManifest } from "./repository.ts";

/** A graph whose documents may be others, and what could not be kept. */
export interface ChangedGraph {
  readonly graph: ImageGraph;
  readonly notes: readonly string[];
}

/**
 * An image with all its platforms in another format; documents that are in it already keep their bytes. An index of which one platform alone was taken cannot be converted, since
 * nobody knows what the others would be: then the platform's manifest is an image of its own. Throws as convertManifest and convertIndex.
 */
export function convertGraph(graph: ImageGraph, to: ImageFormat): ChangedGraph {
  const taken =
    isPartial(graph) && graph.documents.some(({ descriptor }) => formatOf(descriptor.mediaType) !== to) ? withoutIndex(graph) : undefined;
  const { graph: converted, notes } = changeGraph(taken ?? graph, (document, changed) => {
    const { mediaType } = document.descriptor;
    try {
      return isIndexType(mediaType) ? convertIndex(plain(document), to, changed) : convertManifest(plain(document), to);
    } catch (error) {
      throw isIndexType(graph.root.descriptor.mediaType) && !isImageDocument(document) ? namingRemedy(error) : error;
    }
  });
  const alone = `${graph.root.descriptor.digest}: one of its platforms was taken, and is an image of its own in another format`;
  return { graph: converted, notes: taken === undefined ? notes : [alone, ...notes] };
}

/**
 * The same image with annotations beside those that it has: on the manifest of each platform, on the root index, and on what indexes say of manifests. Attestations stay as they are: the
 * index says of which manifest each of them is, but what they state names the manifest as it was before. `name` is for messages. Throws PLATFORM_NOT_FOUND.
 */
export function annotateGraph(graph: ImageGraph, annotations: readonly PlacedAnnotation[], name: string): ChangedGraph {
  if (annotations.length === 0) return { graph, notes: [] };
  const images = new Set(graph.documents.filter(isImageDocument).map(({ descriptor }) => descriptor.digest));
  const listed = graph.documents.flatMap(entriesOf).filter(({ digest }) => images.has(digest));
  const platforms = new Map(listed.map(({ digest, platform }) => [digest, platform]));
  checkPlatforms(annotations, [...platforms.values()], name);
  const annotated = changeGraph(graph, (document, changed) => {
    const { mediaType, digest } = document.descriptor;
    const format = formatOf(mediaType);
    if (isIndexType(mediaType)) {
      const own = document === graph.root ? annotationsAt(annotations, "index") : {};
      const ofEntries = entriesOf(document).map((entry) =>
        images.has(entry.digest) ? annotationsAt(annotations, "manifest-descriptor", entry.platform) : {},
      );
      return annotateIndex(convertIndex(plain(document), format, changed), own, ofEntries);
    }
    const own = annotationsAt(annotations, "manifest", platforms.get(digest));
    return images.has(digest) ? annotateManifest(plain(document), own, format) : { ...plain(document), notes: [] };
  });
  const isAttested = graph.documents.some((one) => !isIndexType(one.descriptor.mediaType) && !isImageDocument(one));
  if (!isAttested || !annotations.some(({ level }) => level === "manifest")) return annotated;
  const stale = `${graph.root.descriptor.digest}: its attestations are of the manifests without the new annotations`;
  return { ...annotated, notes: [...annotated.notes, stale] };
}

/** `change` hears what has become of the documents before, by their old digests. */
function changeGraph(
  graph: ImageGraph,
  change: (document: RemoteManifest, changed: ReadonlyMap<Digest, Converted>) => Converted,
): ChangedGraph {
  const changed = new Map<Digest, Converted>();
  const notes: string[] = [];
  const documents = graph.documents.map((document): RemoteManifest => {
    const { descriptor } = document;
    const { mediaType, bytes, notes: own } = change(document, changed);
    const digest = digestOf(bytes);
    if (digest !== descriptor.digest) changed.set(descriptor.digest, { mediaType, bytes, notes: own });
    notes.push(...own);
    return { descriptor: { ...descriptor, mediaType, digest, size: bytes.length }, bytes };
  });
  return { graph: graphOf(documents.at(-1) ?? graph.root, documents), notes };
}

function plain({ descriptor: { mediaType }, bytes }: RemoteManifest): { readonly mediaType: string; readonly bytes: Buffer } {
  return { mediaType, bytes };
}

/** Whether an index lists what is not in the graph. */
export function isPartial({ documents }: ImageGraph): boolean {
  const there = new Set(documents.map(({ descriptor }) => descriptor.digest));
  return documents.some((document) => entriesOf(document).some(({ digest }) => !there.has(digest)));
}

function entriesOf({ descriptor: { mediaType, digest }, bytes }: RemoteManifest): readonly Descriptor[] {
  return isIndexType(mediaType) ? parseIndex(bytes, digest).manifests : [];
}

function withoutIndex({ root, documents }: ImageGraph): ImageGraph {
  const manifests = documents.filter(({ descriptor }) => !isIndexType(descriptor.mediaType));
  return graphOf(manifests.at(-1) ?? root, manifests);
}

function isImageDocument({ descriptor: { mediaType, digest }, bytes }: RemoteManifest): boolean {
  return !isIndexType(mediaType) && isImage(parseManifest(bytes, digest));
}

/** An attestation, or what else Docker's lists cannot have, stays behind where one platform is taken. */
function namingRemedy(error: unknown): unknown {
  if (!(error instanceof TsbuildError) || error.code !== "NOT_CONVERTIBLE") return error;
  return new TsbuildError(error.code, error.message, {
    cause: error,
    hint: "take one platform of it, which can be converted: --platform OS/ARCH",
  });
}
