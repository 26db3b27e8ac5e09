import { execFileSync } from "node:child_process";
import { bytesOf } from "../../runtime-addon/index.ts";
import type { Image, NewImage } from "../../store/images.ts";
import type { SourceEntry } from "../../store/layer/entry.ts";
import { writeLayer } from "../../store/layer/tar-write.ts";
import type { LayerInfo } from "../../store/layers.ts";
import type { ImageConfig } from "../../store/oci.ts";
import type { Store } from "../../store/store.ts";

const attributes = { mode: 0o644, uid: 0, gid: 0, mtime: 1_000_000_000, mtimeNsec: 0 };

/** Entries of files by path; a name that ends in "/" is a directory, a null content a whiteout. */
export function entriesOf(files: Readonly<Record<string, string | null>>): SourceEntry[] {
  return Object.entries(files).map(([path, content]) => {
    if (content === null) return { kind: "whiteout", path: bytesOf(path) };
    if (path.endsWith("/")) return { kind: "directory", path: bytesOf(path.slice(0, -1)), ...attributes, mode: 0o755 };
    const bytes = Buffer.from(content);
    return { kind: "file", path: bytesOf(path), ...attributes, size: bytes.length, content: { at: "bytes", bytes } };
  });
}

/** A layer of these files, made as a build step makes one. */
export async function addLayer(store: Store, files: Readonly<Record<string, string | null>>): Promise<LayerInfo> {
  const tempTar = await store.tempFile("test");
  const tree = await writeLayer(entriesOf(files), tempTar, { sync: true, ignoreMtime: () => false });
  return store.layers.add(tree, { tempTar });
}

export function configOf(layers: readonly LayerInfo[], more: Partial<ImageConfig> = {}): ImageConfig {
  return { os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) }, ...more };
}

/** An image of one layer for each of these. */
export async function putImage(
  store: Store,
  names: readonly string[],
  layers: readonly Readonly<Record<string, string | null>>[],
  more: Partial<ImageConfig> = {},
): Promise<Image> {
  const infos: LayerInfo[] = [];
  for (const files of layers) infos.push(await addLayer(store, files));
  const image: NewImage = { config: configOf(infos, more), layers: infos.map(({ blob }) => blob), names };
  return store.images.put(image);
}

/** What a command writes, in bytes. */
export function output(argv: readonly [string, ...string[]], input?: Uint8Array): Buffer {
  const [file, ...args] = argv;
  return execFileSync(file, args, { input, maxBuffer: 1 << 28, stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"] });
}
