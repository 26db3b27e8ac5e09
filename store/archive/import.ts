import { textOf } from "../../runtime-addon/index.ts";
import { type PlainLimits, plainBytes } from "../compression.ts";
import { discardFile } from "../discard.ts";
import { TsbuildError } from "../errors.ts";
import { type Abortable, fileBytes } from "../file-bytes.ts";
import { parseNewName } from "../image-names.ts";
import type { Image } from "../images.ts";
import { readLayer } from "../layer/tar-read.ts";
import type { Tree } from "../layer/tree.ts";
import type { LayerInfo } from "../layers.ts";
import type { ContainerConfig, Platform } from "../oci.ts";
import { machinePlatform } from "../platform.ts";
import type { Store } from "../store.ts";
import { teeToFile } from "../tee-file.ts";
import { plainLimitsOf } from "../unpack-limits.ts";
import { namingSource } from "./naming-source.ts";

export interface ImportOptions extends Abortable {
  /** None leaves the image untagged. */
  readonly names: readonly string[];
  /** What the image's containers start with; absent: nothing. */
  readonly config?: ContainerConfig;
  /** RFC 3339; absent: the image does not say, so that the same tar gives the same image. */
  readonly created?: string;
  /** Absent: this machine's. */
  readonly platform?: Platform;
  /** History's comment; absent: that it was imported, and not from where, so that the same tar gives the same image. */
  readonly comment?: string;
  /** Of decompressing; absent: the store's. */
  readonly limits?: PlainLimits;
}

type ImportSource = { readonly file: string } | { readonly stream: AsyncIterable<Uint8Array> };

/**
 * Makes an image of one layer from the tar of a root file system, plain or compressed (gzip, zstd, xz, bzip2: told by content). The layer is
 * the plain tar byte for byte. Throws UNSUPPORTED_ARCHIVE for an image archive, and what readLayer and plainBytes throw, and then leaves nothing behind.
 */
export function importRootfs(store: Store, source: ImportSource, options: ImportOptions): Promise<Image> {
  return namingSource("importing", "file" in source ? source.file : undefined, store.root, () => importFrom(store, source, options));
}

async function importFrom(store: Store, source: ImportSource, options: ImportOptions): Promise<Image> {
  const { names, config, created, platform = machinePlatform(), signal, limits = plainLimitsOf(store.unpackLimits) } = options;
  // Before anything is read that could not be named afterwards.
  names.forEach(parseNewName);
  const bytes = "file" in source ? fileBytes(source.file, { signal }) : source.stream;
  const temp = await store.tempFile("import");
  await using lease = await store.lease();
  let layer: LayerInfo;
  try {
    const { tree } = await readLayer(teeToFile(plainBytes(bytes, { signal, limits }), temp, { sync: true, signal }), {
      limits: store.unpackLimits,
    });
    if (tree.size === 0) throw new TsbuildError("INVALID_TAR", "reading the tar of a root file system: it is empty");
    refuseImageArchive(tree);
    await lease.pin(tree.diffId);
    layer = await store.layers.add(tree, { tempTar: temp });
  } finally {
    discardFile(temp);
  }
  const { diffId, blob } = layer;
  const { os, architecture, variant } = platform;
  return store.images.put({
    config: {
      os,
      architecture,
      ...(variant !== undefined && { variant }),
      ...(created !== undefined && { created }),
      ...(config !== undefined && { config }),
      rootfs: { type: "layers", diff_ids: [diffId] },
      history: [{ ...(created !== undefined && { created }), comment: options.comment ?? "imported" }],
    },
    layers: [blob],
    names,
  });
}

/** As save, docker save and skopeo write them: files that lead to an image, at the top. */
function refuseImageArchive({ entries }: Tree): void {
  const files = new Map(entries.map(({ path, kind }) => [textOf(path), kind]));
  const has = (...names: readonly string[]) => names.every((name) => files.get(name) === "file");
  const isDocker =
    has("manifest.json") && (has("repositories") || [...files.keys()].some((name) => /^[0-9a-f]{64}(\.json$|\/layer\.tar$)/.test(name)));
  if (!isDocker && !(has("oci-layout", "index.json") && [...files.keys()].some((name) => name.startsWith("blobs/")))) return;
  throw new TsbuildError("UNSUPPORTED_ARCHIVE", "reading the tar of a root file system: it is an image archive", {
    hint: "tsbuild load takes the images of it",
  });
}
