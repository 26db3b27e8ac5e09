import { NotFoundError, TsbuildError } from "../errors.ts";
import type { Image } from "../images.ts";
import { isIndexType } from "../oci-parse.ts";
import { otherPlatforms } from "../other-platforms.ts";
import { platformOf, platformText } from "../platform.ts";
import type { Store } from "../store.ts";
import { graphOf, type ImageGraph, type ImageReader, readGraph } from "./image-graph.ts";
import { blobReader } from "./image-readers.ts";

/** An image of the store with all its platforms, as it may be copied. */
export interface StoredGraph {
  readonly graph: ImageGraph;
  readonly reader: ImageReader;
  /** Why it is not all that the image's name means; none when it is. */
  readonly notes: readonly string[];
}

/**
 * What the store has of an image: the index that was pulled where everything in it is here, else the opened platform's manifest alone, as Docker does it. From here on it is
 * pinned. `name`: for messages. Throws PLATFORM_NOT_FOUND where all must be here, `needed`, and are not.
 */
export async function storedGraph(store: Store, image: Image, name: string, needed: "all" | "any" = "any"): Promise<StoredGraph> {
  const reader = blobReader(`store:${name}`, store.blobs);
  const document = { descriptor: image.descriptor, bytes: image.rawManifest };
  const own = graphOf(document, [document]);
  if (!isIndexType(image.listed.mediaType)) return { graph: own, reader, notes: [] };
  const whole = await wholeGraph(store, image, reader);
  if (whole !== undefined) return { graph: whole, reader, notes: [] };
  const missing = (await otherPlatforms(store, image)).flatMap(({ platform, isHere }) => (isHere ? [] : [platform]));
  if (needed === "all") throw notAll(name, missing);
  return { graph: own, reader, notes: [...missing.map((platform) => leftOut(name, platform)), alone(image, name)] };
}

function leftOut(name: string, platform: string): string {
  return `${name}: ${platform} is not in the store: left out`;
}

function alone({ config }: Image, name: string): string {
  return `${name}: ${platformText(platformOf(config))} alone is taken, under its own digest: its index lists what the store does not have`;
}

function notAll(name: string, missing: readonly string[]): TsbuildError {
  const what = missing.length === 0 ? "what its index lists is not all in the store" : `${missing.join(", ")}: not in the store`;
  return new TsbuildError("PLATFORM_NOT_FOUND", `reading all platforms of ${name}: ${what}`, {
    hint: "copy --all-platforms NAME store:NAME takes all of them from a registry",
  });
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
