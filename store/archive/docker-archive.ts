import { closeSync, existsSync, openSync, readSync, renameSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { canonicalJson } from "../canonical-json.ts";
import { type Compression, detectCompression, type PlainOptions, plainBytes } from "../compression.ts";
import { type Digest, digestOf, hexOf } from "../digest.ts";
import { NotFoundError, TsbuildError } from "../errors.ts";
import { type Abortable, fileBytes } from "../file-bytes.ts";
import { shown } from "../foreign-text.ts";
import { nameManifest, parseNewName } from "../image-names.ts";
import { emptyIndex } from "../layout.ts";
import { type Descriptor, mediaTypes } from "../oci.ts";
import { maxConfigBytes } from "../oci-parse.ts";
import { writeStream } from "../tee-file.ts";
import { ociFiles } from "./oci-files.ts";
import { entryPathIn, refuseEntry } from "./outer-tar-read.ts";

/** A file of an archive, kept in a directory of ours under its digest's hex digits. */
export interface StagedFile {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** Files of an archive whose names say nothing: what they are is told by Docker's list, which comes last. */
export interface NamedFiles {
  /** Passed over when it is called as no tool calls a config or a layer. */
  add(name: string, content: AsyncIterable<Uint8Array>): Promise<void>;
  /** `docker save` writes a layer that it has twice as a symlink. */
  link(name: string, target: string | undefined): void;
  /** The file that has these bytes, whatever it is called. */
  withDigest(digest: Digest): StagedFile | undefined;
  /** Under the name, links followed. Throws NotFoundError, SYMLINK_LOOP, UNSAFE_PATH. */
  find(name: string): StagedFile;
  /** The names of links. */
  readonly links: Iterable<string>;
}

/** An image of docker save has some three files a layer. */
const maxFiles = 50_000;
const maxHops = 40;
const likelyName = /(?:^|\/|:)[0-9a-f]{64}$|\.(?:json|tar|tgz|gz|zst|txz|xz|tbz2?|bz2)$/;

/** In the directory of the staged files: the one that is being written. */
export const incomingName = "incoming";

export function namedFiles(directory: string, options: Abortable): NamedFiles {
  const files = new Map<string, StagedFile>();
  const byDigest = new Map<Digest, StagedFile>();
  const links = new Map<string, string | undefined>();
  const checkNew = (name: string) => {
    if (files.has(name) || links.has(name)) throw new TsbuildError("INVALID_ARCHIVE", `reading an image archive: ${name} is in it twice`);
    if (files.size + links.size >= maxFiles) throw new TsbuildError("TOO_LARGE", `reading an image archive: more than ${maxFiles} files`);
  };
  return {
    get links() {
      return links.keys();
    },
    async add(name, content) {
      if (!likelyName.test(name)) return;
      checkNew(name);
      const temp = join(directory, incomingName);
      const written = await writeStream(content, temp, { sync: false, ...options });
      keepAs(temp, join(directory, hexOf(written.digest)));
      files.set(name, written);
      byDigest.set(written.digest, written);
    },
    withDigest: (digest) => byDigest.get(digest),
    link(name, target) {
      checkNew(name);
      links.set(name, target);
    },
    find(name) {
      let at = name;
      for (let hops = 0; hops <= maxHops; hops++) {
        const file = files.get(at);
        if (file !== undefined) return file;
        const target = links.get(at);
        if (target === undefined && links.has(at)) refuseEntry(at, "it is a link out of the archive");
        if (target === undefined) throw new NotFoundError(`reading an image archive: ${shown(at)} is not in it`);
        at = target;
      }
      throw new TsbuildError("SYMLINK_LOOP", `reading an image archive: ${shown(name)}: too many symlinks`);
    },
  };
}

/** The same bytes may come under several names. */
export function keepAs(temp: string, file: string): void {
  if (existsSync(file)) rmSync(temp);
  else renameSync(temp, file);
}

/** An entry of the list that `docker save` writes (manifest.json). */
interface ListedImage {
  readonly Config: string;
  readonly RepoTags: readonly string[];
  readonly Layers: readonly string[];
}

/**
 * Docker's own archive as the image layout that it could have been: an OCI manifest for each image, kept in `directory` like all other files. Config and layers stay as they are, so the
 * image ids do too; but a layer compressed by xz or bzip2, for which OCI has no media type, becomes its plain tar. Answers index.json, and the files that were made. Throws INVALID_DOCUMENT,
 * NotFoundError, INVALID_REFERENCE, and as plainBytes.
 */
export async function layoutOfDocker(
  list: Buffer,
  directory: string,
  find: (name: string) => StagedFile,
  options: PlainOptions,
): Promise<{ readonly index: Buffer; readonly made: readonly StagedFile[] }> {
  const made: StagedFile[] = [];
  const plainLayers = new Map<Digest, StagedFile>();
  const layerOf = async (name: string): Promise<Descriptor> => {
    const file = find(entryName(name));
    const kind = compressionIn(directory, file);
    if (kind !== "xz" && kind !== "bzip2") return { mediaType: layerTypes[kind], digest: file.digest, size: file.size };
    const plain = plainLayers.get(file.digest) ?? (await unpacked(directory, file, options));
    plainLayers.set(file.digest, plain);
    made.push(plain);
    return { mediaType: layerTypes.none, ...plain };
  };
  let entries: readonly Descriptor[] = [];
  for (const { Config, RepoTags, Layers } of listedImages(list)) {
    const config = find(entryName(Config));
    if (config.size > maxConfigBytes) throw new TsbuildError("TOO_LARGE", `reading ${Config}: it is longer than ${maxConfigBytes} bytes`);
    const layers: Descriptor[] = [];
    for (const name of Layers) layers.push(await layerOf(name));
    const bytes = canonicalJson({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: { mediaType: mediaTypes.config, digest: config.digest, size: config.size },
      layers,
    });
    const manifest = { mediaType: mediaTypes.manifest, digest: digestOf(bytes), size: bytes.length };
    await writeFile(join(directory, hexOf(manifest.digest)), bytes);
    made.push(manifest);
    entries = nameManifest(entries, manifest, RepoTags.map(parseNewName));
  }
  return { index: canonicalJson({ ...emptyIndex, manifests: entries }), made };
}

function entryName(name: string): string {
  return entryPathIn("", name) ?? name;
}

const layerTypes = { none: mediaTypes.layer, gzip: mediaTypes.layerGzip, zstd: mediaTypes.layerZstd } as const;

/** The plain tar beside its compressed file, which two layers may share. */
async function unpacked(directory: string, file: StagedFile, options: PlainOptions): Promise<StagedFile> {
  const temp = join(directory, "unpacking");
  const bytes = plainBytes(fileBytes(join(directory, hexOf(file.digest)), options), options);
  const { digest, size } = await writeStream(bytes, temp, { sync: false, signal: options.signal });
  keepAs(temp, join(directory, hexOf(digest)));
  return { digest, size };
}

function compressionIn(directory: string, { digest }: StagedFile): Compression {
  return detectCompression(firstBytes(join(directory, hexOf(digest))));
}

function firstBytes(path: string): Buffer {
  const fd = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(6);
    return bytes.subarray(0, readSync(fd, bytes));
  } finally {
    closeSync(fd);
  }
}

function listedImages(list: Buffer): readonly ListedImage[] {
  let json: unknown;
  try {
    json = JSON.parse(list.toString());
  } catch (cause) {
    throw new TsbuildError("INVALID_DOCUMENT", `reading ${ociFiles.dockerManifest}: it is not JSON`, { cause });
  }
  if (!Array.isArray(json) || json.length === 0) throw invalid("it lists no images");
  return json.map((value: Record<string, unknown> | null, i) => {
    const { Config, RepoTags, Layers } = value ?? {};
    if (typeof Config !== "string") throw invalid(`[${i}].Config is no text`);
    if (!isTexts(Layers)) throw invalid(`[${i}].Layers is no list of texts`);
    // An image that was saved by its id has null.
    if (!isTexts(RepoTags ?? [])) throw invalid(`[${i}].RepoTags is no list of texts`);
    return { Config, Layers, RepoTags: (RepoTags ?? []) as readonly string[] };
  });
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

function invalid(why: string): TsbuildError {
  return new TsbuildError("INVALID_DOCUMENT", `reading ${ociFiles.dockerManifest}: ${why}`);
}
