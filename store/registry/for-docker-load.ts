import { join } from "node:path";
import { removeTree } from "../../runtime-addon/index.ts";
import { plainBytes } from "../compression.ts";
import { type Digest, digestOf, hexOf } from "../digest.ts";
import { IntegrityError, TsbuildError } from "../errors.ts";
import { fileBytes } from "../file-bytes.ts";
import { checkIsImage, type ImageLayer, imageOf } from "../images.ts";
import { compressionOf } from "../layer-form.ts";
import { type Descriptor, mediaTypes } from "../oci.ts";
import { isIndexType, parseManifest } from "../oci-parse.ts";
import type { Store } from "../store.ts";
import { writeStream } from "../tee-file.ts";
import { verified } from "../verified.ts";
import { formatOf } from "./convert.ts";
import { isForeign } from "./foreign-layer.ts";
import { graphOf, type ImageGraph, type ImageReader } from "./image-graph.ts";
import { manifestWith } from "./manifest-with.ts";
import type { PushingOptions } from "./push-blob.ts";
import { readConfig } from "./read-config.ts";
import { reportedDownload } from "./reported-download.ts";

/** An image as every `docker load` can read it. What was unpacked for it goes when it is closed. */
export interface LoadableImage extends AsyncDisposable {
  readonly graph: ImageGraph;
  readonly reader: ImageReader;
}

interface PlainLayer {
  readonly blob: Descriptor;
  readonly file: string;
}

/**
 * The image, of whose layers those compressed by zstd are unpacked to files of the store, which is opened for that alone; all others keep their bytes. Throws UNSUPPORTED_COPY for an index and for
 * layers that may not be given on, NOT_AN_IMAGE, IntegrityError, and what reading throws.
 */
export async function forDockerLoad(
  graph: ImageGraph,
  reader: ImageReader,
  openStore: () => Promise<Store>,
  options: PushingOptions,
): Promise<LoadableImage> {
  const { descriptor, bytes } = graph.root;
  if (isIndexType(descriptor.mediaType)) {
    throw new TsbuildError("UNSUPPORTED_COPY", `copying ${reader.label}: docker load reads images of one platform only`, {
      hint: "--platform OS/ARCH chooses one; an oci-archive has all",
    });
  }
  const { config } = checkLayers(graph, reader.label);
  const rawConfig = await readConfig(config, () => reader.download(config, options));
  const zstd = imageOf(descriptor, bytes, rawConfig).layers.filter(({ diffId, blob }) => compressionOf(diffId, blob) === "zstd");
  if (zstd.length === 0) return { graph, reader, [Symbol.asyncDispose]: async () => undefined };
  const directory = await (await openStore()).temp("copy");
  try {
    const plain = await plainLayers(zstd, reader, directory, options);
    return { ...withPlain(graph, reader, rawConfig, plain), [Symbol.asyncDispose]: () => removeTree(directory) };
  } catch (error) {
    await removeTree(directory);
    throw error;
  }
}

function checkLayers({ root: { descriptor, bytes } }: ImageGraph, label: string) {
  const manifest = parseManifest(bytes, descriptor.digest);
  checkIsImage(manifest, `copying ${label}`);
  const foreign = manifest.layers.find(isForeign);
  if (foreign === undefined) return manifest;
  throw new TsbuildError(
    "UNSUPPORTED_COPY",
    `copying ${label}: layer ${foreign.digest} may not be given on, and docker load needs all layers`,
  );
}

/** By the digests of the compressed ones. */
async function plainLayers(
  layers: readonly ImageLayer[],
  reader: ImageReader,
  directory: string,
  options: PushingOptions,
): Promise<ReadonlyMap<Digest, PlainLayer>> {
  const plain = new Map<Digest, PlainLayer>();
  for (const { diffId, blob } of layers) {
    if (plain.has(blob.digest)) continue;
    const file = join(directory, `${plain.size}-${hexOf(diffId)}`);
    const bytes = plainBytes(reportedDownload(reader, blob, options), { signal: options.signal });
    const { digest, size } = await writeStream(bytes, file, { sync: false, signal: options.signal });
    if (digest !== diffId) throw new IntegrityError(`unpacking layer ${blob.digest}`, diffId, digest);
    plain.set(blob.digest, { blob: { mediaType: mediaTypes.layer, digest, size }, file });
  }
  return plain;
}

function withPlain(
  { root }: ImageGraph,
  reader: ImageReader,
  rawConfig: Buffer,
  plain: ReadonlyMap<Digest, PlainLayer>,
): Pick<LoadableImage, "graph" | "reader"> {
  const { mediaType, digest } = root.descriptor;
  const layers = parseManifest(root.bytes, digest).layers.map((layer) => plain.get(layer.digest)?.blob ?? layer);
  const made = manifestWith({ rawConfig, manifest: { mediaType, bytes: root.bytes } }, layers, formatOf(mediaType));
  const descriptor = { ...root.descriptor, mediaType: made.mediaType, digest: digestOf(made.bytes), size: made.bytes.length };
  const manifest = { descriptor, bytes: made.bytes };
  const files = new Map([...plain.values()].map(({ blob, file }) => [blob.digest, file]));
  return {
    graph: graphOf(manifest, [manifest]),
    reader: {
      ...reader,
      download(blob, options) {
        const file = files.get(blob.digest);
        return file === undefined ? reader.download(blob, options) : verified(fileBytes(file, options), blob);
      },
    },
  };
}
