import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Bytes } from "../../../store/blobs.ts";
import { type Digest, digestOf } from "../../../store/digest.ts";
import { writeLayer } from "../../../store/layer/tar-write.ts";
import { type Descriptor, type ImageConfig, mediaTypes, type Platform } from "../../../store/oci.ts";
import type { Registry } from "../../../store/registry/registry.ts";
import type { DownloadOptions, RemoteManifest, Repository } from "../../../store/registry/repository.ts";
import { defaultRegistrySettings } from "../../../store/registry/settings.ts";
import { verified } from "../../../store/verified.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { entriesOf } from "../sample-image.ts";

/** A repository that is all in memory, and keeps what it was asked. */
export interface MemoryRepository extends Repository {
  readonly blobs: Map<Digest, Buffer>;
  readonly manifests: Map<Digest, RemoteManifest>;
  readonly tagged: Map<string, Digest>;
  /** "manifest latest", "resolve latest", "download sha256:…", oldest first. */
  readonly asked: string[];
  /** Stands in for a download where it answers something. */
  intercept: (target: Descriptor, options: DownloadOptions) => Bytes | undefined;
  putBlob(mediaType: string, bytes: Buffer): Descriptor;
  putDocument(mediaType: string, content: object, ...tags: string[]): Descriptor;
}

const chunkBytes = 1024;

export function memoryRepository(name = "library/app", registry = "docker.io"): MemoryRepository {
  const blobs = new Map<Digest, Buffer>();
  const manifests = new Map<Digest, RemoteManifest>();
  const tagged = new Map<string, Digest>();
  const asked: string[] = [];
  const find = (reference: string) => manifests.get((tagged.get(reference) ?? reference) as Digest);

  async function* bytesOf(target: Descriptor, { signal, onProgress }: DownloadOptions): AsyncGenerator<Uint8Array, void, undefined> {
    const bytes = blobs.get(target.digest);
    if (bytes === undefined) throw new Error(`no blob ${target.digest}`);
    for (let offset = 0; offset < bytes.length; offset += chunkBytes) {
      signal?.throwIfAborted();
      const chunk = bytes.subarray(offset, offset + chunkBytes);
      onProgress?.(offset + chunk.length);
      yield chunk;
    }
  }

  const repository: MemoryRepository = {
    registry,
    name,
    blobs,
    manifests,
    tagged,
    asked,
    intercept: () => undefined,
    putBlob(mediaType, bytes) {
      const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
      blobs.set(descriptor.digest, bytes);
      return descriptor;
    },
    putDocument(mediaType, content, ...tags) {
      const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...content }));
      const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
      manifests.set(descriptor.digest, { descriptor, bytes });
      for (const tag of tags) tagged.set(tag, descriptor.digest);
      return descriptor;
    },
    async manifest(reference, { signal } = {}) {
      signal?.throwIfAborted();
      asked.push(`manifest ${reference}`);
      return find(reference);
    },
    async resolve(reference) {
      asked.push(`resolve ${reference}`);
      return find(reference)?.descriptor;
    },
    async putManifest(mediaType, bytes, tags) {
      const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
      manifests.set(descriptor.digest, { descriptor, bytes });
      for (const tag of tags) tagged.set(tag, descriptor.digest);
      return { subject: false };
    },
    async deleteManifest(digest) {
      manifests.delete(digest);
    },
    async hasBlob({ digest }) {
      return blobs.has(digest);
    },
    download(target, options = {}) {
      asked.push(`download ${target.digest}`);
      return verified(repository.intercept(target, options) ?? bytesOf(target, options), target);
    },
    async upload(target, content) {
      if (blobs.has(target.digest)) return "present";
      const chunks: Uint8Array[] = [];
      for await (const chunk of verified(content.open(0), target)) chunks.push(chunk);
      blobs.set(target.digest, Buffer.concat(chunks));
      return "uploaded";
    },
    async *tags() {
      yield [...tagged.keys()];
    },
    async referrers() {
      return [];
    },
  };
  return repository;
}

/** The registries that have these repositories. */
export function memoryRegistry(...repositories: readonly Repository[]): Registry {
  const close = async () => undefined;
  return {
    settings: defaultRegistrySettings,
    repository(reference) {
      const found = repositories.find(({ registry, name }) => registry === reference.registry && name === reference.repository);
      if (found === undefined) throw new Error(`no repository ${reference.registry}/${reference.repository}`);
      return found;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

export type Files = Readonly<Record<string, string | null>>;

export interface MadeLayer {
  readonly diffId: Digest;
  readonly tar: Buffer;
}

/** The tar of these files. */
export async function makeLayer(files: Files): Promise<MadeLayer> {
  const file = join(temporaryDirectory("layer"), "layer.tar");
  const { diffId } = await writeLayer(entriesOf(files), file, { sync: false, ignoreMtime: () => false });
  return { diffId, tar: readFileSync(file) };
}

export interface PutOptions {
  readonly platform?: Platform;
  readonly config?: Partial<ImageConfig>;
  readonly tags?: readonly string[];
  /** Changes the layers' blobs and descriptors. */
  readonly compress?: (tar: Buffer) => Buffer;
  readonly layerType?: string;
}

/** An image of one gzip layer for each of these; answers its manifest's descriptor with the platform, and its layers. */
export async function putRemote(
  repository: MemoryRepository,
  layers: readonly Files[],
  {
    platform = { os: "linux", architecture: "amd64" },
    config: more = {},
    tags = [],
    compress = gzipSync,
    layerType = mediaTypes.layerGzip,
  }: PutOptions = {},
): Promise<{ readonly descriptor: Descriptor; readonly layers: readonly { readonly diffId: Digest; readonly blob: Descriptor }[] }> {
  const made = await Promise.all(layers.map(makeLayer));
  const put = made.map(({ diffId, tar }) => ({ diffId, blob: repository.putBlob(layerType, compress(tar)) }));
  const content = { ...platform, rootfs: { type: "layers", diff_ids: put.map(({ diffId }) => diffId) }, ...more };
  const config = repository.putBlob(mediaTypes.config, Buffer.from(JSON.stringify(content)));
  const descriptor = repository.putDocument(mediaTypes.manifest, { config, layers: put.map(({ blob }) => blob) }, ...tags);
  return { descriptor: { ...descriptor, platform }, layers: put };
}
