import { type Digest, digestOf } from "../digest.ts";
import { isIndexType } from "../oci-parse.ts";
import { type Converted, convertIndex, convertManifest, type ImageFormat } from "./convert.ts";
import { graphOf, type ImageGraph } from "./image-graph.ts";
import type { RemoteManifest } from "./repository.ts";

/** An image with all its platforms in another format; documents that are in it already keep their bytes. Throws as convertManifest and convertIndex. */
export function convertGraph(graph: ImageGraph, to: ImageFormat): { readonly graph: ImageGraph; readonly notes: readonly string[] } {
  const changed = new Map<Digest, Converted>();
  const notes: string[] = [];
  const documents = graph.documents.map(({ descriptor, bytes }): RemoteManifest => {
    const document = { mediaType: descriptor.mediaType, bytes };
    const listed = isIndexType(descriptor.mediaType);
    const converted = listed ? convertIndex(document, to, changed) : convertManifest(document, to);
    const digest = digestOf(converted.bytes);
    if (digest !== descriptor.digest) changed.set(descriptor.digest, converted);
    notes.push(...converted.notes);
    return { descriptor: { ...descriptor, mediaType: converted.mediaType, digest, size: converted.bytes.length }, bytes: converted.bytes };
  });
  return { graph: graphOf(documents.at(-1) ?? graph.root, documents), notes };
}
