import { createHash, type Hash } from "node:crypto";
import type { Attributes, ByteString } from "../../runtime-addon/index.ts";
import { type Digest, digestFromBytes } from "../digest.ts";
import { TsbuildError } from "../errors.ts";
import { contentIdOf } from "./content-id.ts";
import { baseName, joinPath, normaliseArchivePath, opaqueMarker, parentPath, quotePath, whiteoutPrefix } from "./entry-path.ts";
import { type LayerCollector, layerCollector, type TarInode } from "./layer-collector.ts";
import type { LayerLimits } from "./layer-limits.ts";
import type { TarHeader } from "./tar-header.ts";
import { tarParser } from "./tar-parse.ts";
import { type GzipRules, skimTar } from "./tar-skim.ts";
import type { Tree } from "./tree.ts";
import { layerXattrs } from "./xattrs.ts";

export interface ReadLayerOptions {
  /** Gets every chunk as it comes, before it is looked into; a promise is awaited. */
  readonly onChunk?: (chunk: Uint8Array) => void | Promise<void>;
  readonly limits?: LayerLimits;
  /** The chunks are gzip, to be inflated by these rules. */
  readonly gzip?: GzipRules | undefined;
}

/**
 * Reads a plain tar of any writer as a layer: ustar, PAX (local and global), GNU long names, base-256 numbers and sparse files, whose contents are where contentsBytes
 * says. The diffId is of all bytes, those behind the end mark too. Nothing is believed: throws INVALID_TAR (with the byte offset), UNSUPPORTED_TAR (multi-volume
 * archives), UNSAFE_PATH (".." in a name), RESERVED_NAME, SYMLINK_LOOP, TOO_LARGE (more entries or names than `limits`, larger holes than tarParser takes).
 */
export async function readLayer(chunks: AsyncIterable<Uint8Array>, options: ReadLayerOptions = {}): Promise<{ readonly tree: Tree }> {
  const { onChunk, limits, gzip } = options;
  const collector = layerCollector<TarInode>(limits);
  const sparse: Content[] = [];
  const source = onChunk === undefined ? chunks : shown(chunks, onChunk);
  const { digest, size } = await skimTar(source, tarParser(tellingEvents(collector, sparse)), gzip);
  placeBehind(size, sparse);
  const entries = collector.entries();
  const contentId = contentIdOf(entries, { ignoreMtime: () => false });
  return { tree: { diffId: digest, contentId, size, entries } };
}

async function* shown(chunks: AsyncIterable<Uint8Array>, onChunk: (chunk: Uint8Array) => void | Promise<void>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    const seen = onChunk(chunk);
    if (seen !== undefined) await seen;
    yield chunk;
  }
}

/** Who is told what a tar says, in its own order. The offset of a sparse file holds when all has been read, and not before. */
export type TarSink = Omit<LayerCollector<TarInode>, "entries">;

/**
 * As readLayer, for whoever wants to know what the tar says and not what that means for a layer: nothing is counted, or checked against the rest. Answers how many bytes the tar
 * has.
 */
export async function readTar(chunks: AsyncIterable<Uint8Array>, sink: TarSink): Promise<number> {
  const sparse: Content[] = [];
  const parser = tarParser(tellingEvents(sink, sparse));
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    parser.push(chunk);
  }
  parser.end();
  placeBehind(size, sparse);
  return size;
}

/** Where writeContents puts what stands in the tar in pieces. */
function placeBehind(size: number, sparse: readonly Content[]): void {
  let end = size;
  for (const content of sparse) {
    content.offset = end;
    end += content.size;
  }
}

/** Where a file's content is. */
interface Content {
  readonly size: number;
  offset: number;
}

const zeros = Buffer.alloc(64 * 1024);

/** Gathers in `sparse` what stands in pieces, in the tar's order, whatever the entries mean: writeContents counts them all. What is empty has its own place, as other files have. */
function tellingEvents(sink: TarSink, sparse: Content[]): Parameters<typeof tarParser>[0] {
  let hash: Hash | undefined;
  let finish: ((digest: Digest) => void) | undefined;
  return {
    entry(header, contentOffset, where) {
      hash = undefined;
      const content: Content = { size: header.size, offset: contentOffset };
      if (header.isSparse && header.size > 0) sparse.push(content);
      finish = tell(sink, header, content, where);
    },
    content(chunk) {
      if (finish === undefined) return;
      hash ??= createHash("sha256");
      hash.update(chunk);
    },
    hole(bytes) {
      if (finish === undefined) return;
      hash ??= createHash("sha256");
      for (let left = bytes; left > 0; left -= zeros.length) hash.update(left < zeros.length ? zeros.subarray(0, left) : zeros);
    },
    contentEnd(digest) {
      finish?.(digest ?? digestFromBytes((hash ?? createHash("sha256")).digest()));
      finish = undefined;
    },
  };
}

/** AUFS' bookkeeping, which every reader of layers skips. */
const aufsPrefix = ".wh..wh.";

/** Tells of the entry; of a file the digest is still wanted, by the function returned. */
function tell(sink: TarSink, header: TarHeader, content: Content, where: string): ((digest: Digest) => void) | undefined {
  if (header.type === "V") return undefined;
  const path = normaliseArchivePath(header.name, where);
  if (path.includes(whiteoutPrefix) && /(?:^|\/)\.wh\./.test(path)) {
    tellRemoval(sink, path, where);
    return undefined;
  }
  const attributes = attributesOf(header);
  switch (header.type) {
    case "0":
      // Before POSIX a directory was a file whose name ends in "/".
      if (header.name.endsWith("/")) sink.other({ kind: "directory", path, ...attributes }, where);
      else return (digest) => sink.file(path, Object.assign(content, attributes, { digest }), where);
      return undefined;
    case "1":
      sink.hardlink(path, normaliseArchivePath(header.linkName, where), attributes, where);
      return undefined;
    case "2":
      sink.other({ kind: "symlink", path, ...attributes, target: checkTarget(header.linkName, path, where) }, where);
      return undefined;
    case "3":
      sink.other({ kind: "char", path, ...attributes, major: header.major, minor: header.minor }, where);
      return undefined;
    case "4":
      sink.other({ kind: "block", path, ...attributes, major: header.major, minor: header.minor }, where);
      return undefined;
    case "5":
      sink.other({ kind: "directory", path, ...attributes }, where);
      return undefined;
    default:
      sink.other({ kind: "fifo", path, ...attributes }, where);
      return undefined;
  }
}

function attributesOf(header: TarHeader): Attributes {
  const { mode, uid, gid, mtime, mtimeNsec } = header;
  const xattrs = layerXattrs(header.xattrs);
  return { mode, uid, gid, mtime, mtimeNsec, ...(xattrs !== undefined && { xattrs }) };
}

function tellRemoval(sink: TarSink, path: ByteString, where: string): void {
  const name = baseName(path);
  const directory = parentPath(path);
  if (path.startsWith(aufsPrefix) && path !== opaqueMarker) return;
  if (directory.startsWith(whiteoutPrefix) || directory.includes(`/${whiteoutPrefix}`)) {
    throw new TsbuildError("RESERVED_NAME", `${where}: ${quotePath(path)} lies below a removal`);
  }
  if (name === opaqueMarker) {
    sink.opaque(directory, where);
    return;
  }
  if (name.startsWith(aufsPrefix)) return;
  const removed = name.slice(whiteoutPrefix.length) as ByteString;
  if (removed === "" || removed === "." || removed === "..") {
    throw new TsbuildError("UNSAFE_PATH", `${where}: ${quotePath(path)} removes no name`);
  }
  sink.whiteout(joinPath(directory, removed), where);
}

/** PATH_MAX without its NUL, as symlink(2) has it. */
const maxTargetBytes = 4095;

function checkTarget(target: ByteString, path: ByteString, where: string): ByteString {
  if (target === "" || target.length > maxTargetBytes || target.includes("\0")) {
    throw new TsbuildError("INVALID_TAR", `${where}: the symlink ${quotePath(path)} has a target that no symlink can have`);
  }
  return target;
}
