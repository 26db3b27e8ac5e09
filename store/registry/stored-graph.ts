import { NotFoundError } from "../errors.ts";
import type { Image } from "../images.ts";
import { isIndexType } from "../oci-parse.ts";
import { platformOf, platformText } from "../platform.ts";
import type { Store } from "../store.ts";
import { graphOf, type ImageGraph, type ImageReader, readGraph } from "./image-graph.ts";
import { blobReader } from "./image-readers.ts";

/** An image of the store with all its platforms, as it may be copied. */
export interface StoredGraph {
  readonly graph: ImageGraph;
  readonly reader: ImageReader;
  /** Why it is not all that the image's name means; absent when it is. */
  readonly note?: string;
}

/**
 * What the store has of an image: the index that was pulled where everything in it is here, else the opened platform's manifest alone, as Docker does it. From here on it is
 * pinned. `name`: for messages.
 */
export async function storedGraph(store: Store, image: Image, name: string): Promise<StoredGraph> {
  const reader = blobReader(`store:${name}`, store.blobs);
  const own = graphOf({ descriptor: image.descriptor, bytes: image.rawManifest }, [
    { descriptor: image.descriptor, bytes: image.rawManifest },
  ]);
  if (!isIndexType(image.listed.mediaType)) return { graph: own, reader };
  const whole = await wholeGraph(store, image, reader);
  if (whole !== undefined) return { graph: whole, reader };
  const platform = platformText(platformOf(image.config));
  return {
    graph: own,
    reader,
    note: `${name}: the store does not have all of its platforms: ${platform} alone is taken, under its own digest`,
  };
}

async function wholeGraph(store: Store, { listed }: Image, reader: ImageReader): Promise<ImageGraph | undefined> {
  try {
    const root = await reader.manifest(listed);
    if (root === undefined) return undefined;
    const graph = await readGraph(reader, root);
    await store.pin(...graph.documents.map(({ descriptor }) => descriptor.digest), ...graph.blobs.map(({ digest }) => digest));
    for (const blob of [...graph.documents.map(({ descriptor }) => descriptor), ...graph.blobs]) {
      if (!(await store.blobs.has(blob))) return undefined;
    }
    return graph;
  } catch (error) {
    // A platform that was never pulled.
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}
