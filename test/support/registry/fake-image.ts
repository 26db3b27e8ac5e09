import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { sha256 } from "./fake-content.ts";

/** An image as a registry has it: bytes and what they are. */
export interface FakeImage {
  readonly mediaType: string;
  readonly bytes: Buffer;
  readonly digest: string;
  readonly config: Buffer;
  /** As the manifest's descriptors name them, bottom first. */
  readonly layers: readonly Buffer[];
  readonly platform: FakePlatform;
}

export interface FakePlatform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

export interface FakeImageOptions {
  /** Files by path, one record a layer; absent: one layer with one file. */
  readonly layers?: readonly Readonly<Record<string, string | Buffer>>[];
  readonly format?: "oci" | "docker";
  readonly compression?: "gzip" | "none";
  readonly platform?: FakePlatform;
  /** `config` of the image config. */
  readonly config?: object;
  /** Added to the manifest. */
  readonly manifest?: object;
}

const types = {
  oci: {
    manifest: "application/vnd.oci.image.manifest.v1+json",
    config: "application/vnd.oci.image.config.v1+json",
    layer: "application/vnd.oci.image.layer.v1.tar",
    gzip: "application/vnd.oci.image.layer.v1.tar+gzip",
    index: "application/vnd.oci.image.index.v1+json",
  },
  docker: {
    manifest: "application/vnd.docker.distribution.manifest.v2+json",
    config: "application/vnd.docker.container.image.v1+json",
    layer: "application/vnd.docker.image.rootfs.diff.tar",
    gzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
    index: "application/vnd.docker.distribution.manifest.list.v2+json",
  },
} as const;

/** The same options give the same bytes. */
export async function fakeImage(options: FakeImageOptions = {}): Promise<FakeImage> {
  const { layers: files = [{ "hello.txt": "hello" }], format = "oci", compression = "gzip" } = options;
  const platform = options.platform ?? { os: "linux", architecture: "amd64" };
  const tars = await Promise.all(files.map(tarOf));
  const layers = compression === "gzip" ? tars.map((tar) => gzipSync(tar)) : tars;
  const rootfs = { type: "layers", diff_ids: tars.map(sha256) };
  const config = Buffer.from(JSON.stringify({ ...platform, config: options.config ?? {}, rootfs }));
  const names = types[format];
  const layerType = compression === "gzip" ? names.gzip : names.layer;
  const manifest = {
    schemaVersion: 2,
    mediaType: names.manifest,
    config: descriptorOf(names.config, config),
    layers: layers.map((layer) => descriptorOf(layerType, layer)),
    ...options.manifest,
  };
  const bytes = Buffer.from(JSON.stringify(manifest, null, 2));
  return { mediaType: names.manifest, bytes, digest: sha256(bytes), config, layers, platform };
}

export function fakeIndex(
  images: readonly FakeImage[],
  format: "oci" | "docker" = "oci",
): { mediaType: string; bytes: Buffer; digest: string } {
  const manifests = images.map(({ mediaType, bytes, platform }) => ({ ...descriptorOf(mediaType, bytes), platform }));
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: types[format].index, manifests }, null, 2));
  return { mediaType: types[format].index, bytes, digest: sha256(bytes) };
}

export function descriptorOf(mediaType: string, bytes: Uint8Array): { mediaType: string; digest: string; size: number } {
  return { mediaType, digest: sha256(bytes), size: bytes.length };
}

async function tarOf(files: Readonly<Record<string, string | Buffer>>): Promise<Buffer> {
  const archive = pack();
  for (const [name, content] of Object.entries(files)) {
    if (name.endsWith("/")) archive.entry({ name, type: "directory", mode: 0o755, mtime: new Date(0) });
    else archive.entry({ name, mode: 0o644, mtime: new Date(0) }, content);
  }
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks);
}
