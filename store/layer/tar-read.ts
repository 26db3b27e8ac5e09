import { createHash, type Hash } from "node:crypto";
import type { Attributes, ByteString } from "../../runtime-addon/index.ts";
import { type Digest, digestFromBytes } from "../digest.ts";
import { TsbuildError } from "../errors.ts";
import { contentIdOf } from "./content-id.ts";
import { baseName, joinPath, normaliseArchivePath, opaqueMarker, parentPath, quotePath, whiteoutPrefix } from "./entry-path.ts";
import { type Inode, type LayerCollector, type LayerLimits, layerCollector } from "./layer-collector.ts";
import type { TarHeader } from "./tar-header.ts";
import { tarParser } from "./tar-parse.ts";
import type { Tree } from "./tree.ts";
import { layerXattrs } from "./xattrs.ts";

export interface ReadLayerOptions {
  /** Gets every chunk as it comes, before it is looked into; a promise is awaited. */
  readonly onChunk?: (chunk: Uint8Array) => void | Promise<void>;
  readonly limits?: LayerLimits;
}

/**
 * Reads a plain tar of any writer as a layer: ustar, PAX (local and global), GNU long names, base-256 numbers and sparse files, whose contents are where contentsBytes
 * says. The diffId is of all bytes, those behind the end mark too. Nothing is believed: throws INVALID_TAR (with the byte offset), UNSUPPORTED_TAR (multi-volume
 * archives), UNSAFE_PATH (".." in a name), RESERVED_NAME, SYMLINK_LOOP, TOO_LARGE (more entries or names than `limits`, larger holes than tarParser takes).
 */
export async function readLayer(chunks: AsyncIterable<Uint8Array>, options: ReadLayerOptions = {}): Promise<{ readonly tree: Tree }> {
  const { onChunk, limits } = options;
  const whole = createHash("sha256");
  const collector = layerCollector(limits);
  const sparse: SparseInode[] = [];
  const parser = tarParser(collectingEvents(collector, sparse));
  let size = 0;
  for await (const chunk of chunks) {
    const written = onChunk?.(chunk);
    if (written !== undefined) await written;
    whole.update(chunk);
    size += chunk.length;
    parser.push(chunk);
  }
  parser.end();
  let end = size;
  for (const inode of sparse) {
    inode.offset = end;
    end += inode.size;
  }
  const entries = collector.entries();
  const contentId = contentIdOf(entries, { ignoreMtime: () => false });
  return { tree: { diffId: digestFromBytes(whole.digest()), contentId, size, entries } };
}

/** Where its content will be is known when the tar has ended. */
type SparseInode = { -readonly [Key in keyof Inode]: Inode[Key] };

const zeros = Buffer.alloc(64 * 1024);

function collectingEvents(collector: LayerCollector, sparse: SparseInode[]): Parameters<typeof tarParser>[0] {
  let hash: Hash | undefined;
  let finish: ((digest: Digest) => void) | undefined;
  return {
    entry(header, contentOffset, where) {
      hash = undefined;
      finish = collect(collector, header, contentOffset, where, sparse);
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
    contentEnd() {
      finish?.(digestFromBytes((hash ?? createHash("sha256")).digest()));
      finish = undefined;
    },
  };
}

/** AUFS' bookkeeping, which every reader of layers skips. */
const aufsPrefix = ".wh..wh.";

/** Takes the entry in; of a file the digest is still wanted, by the function returned. */
function collect(
  collector: LayerCollector,
  header: TarHeader,
  offset: number,
  where: string,
  sparse: SparseInode[],
): ((digest: Digest) => void) | undefined {
  if (header.type === "V") return undefined;
  const path = normaliseArchivePath(header.name, where);
  if (path.includes(whiteoutPrefix) && /(?:^|\/)\.wh\./.test(path)) {
    collectRemoval(collector, path, where);
    return undefined;
  }
  const { size } = header;
  const attributes = attributesOf(header);
  switch (header.type) {
    case "0":
      // Before POSIX a directory was a file whose name ends in "/".
      if (header.name.endsWith("/")) collector.other({ kind: "directory", path, ...attributes }, where);
      else {
        return (digest) => {
          const inode: SparseInode = { ...attributes, size, digest, offset };
          if (header.isSparse) sparse.push(inode);
          collector.file(path, inode, where);
        };
      }
      return undefined;
    case "1":
      collector.hardlink(path, normaliseArchivePath(header.linkName, where), attributes, where);
      return undefined;
    case "2":
      collector.other({ kind: "symlink", path, ...attributes, target: checkTarget(header.linkName, path, where) }, where);
      return undefined;
    case "3":
      if (header.major === 0 && header.minor === 0) {
        throw new TsbuildError("INVALID_TAR", `${where}: ${quotePath(path)} is the device 0:0, which overlay takes for a removal`);
      }
      collector.other({ kind: "char", path, ...attributes, major: header.major, minor: header.minor }, where);
      return undefined;
    case "4":
      collector.other({ kind: "block", path, ...attributes, major: header.major, minor: header.minor }, where);
      return undefined;
    case "5":
      collector.other({ kind: "directory", path, ...attributes }, where);
      return undefined;
    default:
      collector.other({ kind: "fifo", path, ...attributes }, where);
      return undefined;
  }
}

function attributesOf(header: TarHeader): Attributes {
  const { mode, uid, gid, mtime, mtimeNsec } = header;
  const xattrs = layerXattrs(header.xattrs);
  return { mode, uid, gid, mtime, mtimeNsec, ...(xattrs !== undefined && { xattrs }) };
}

function collectRemoval(collector: LayerCollector, path: ByteString, where: string): void {
  const name = baseName(path);
  const directory = parentPath(path);
  if (path.startsWith(aufsPrefix) && path !== opaqueMarker) return;
  if (directory.startsWith(whiteoutPrefix) || directory.includes(`/${whiteoutPrefix}`)) {
    throw new TsbuildError("RESERVED_NAME", `${where}: ${quotePath(path)} lies below a removal`);
  }
  if (name === opaqueMarker) {
    collector.opaque(directory, where);
    return;
  }
  if (name.startsWith(aufsPrefix)) return;
  const removed = name.slice(whiteoutPrefix.length) as ByteString;
  if (removed === "" || removed === "." || removed === "..") {
    throw new TsbuildError("UNSAFE_PATH", `${where}: ${quotePath(path)} removes no name`);
  }
  collector.whiteout(joinPath(directory, removed), where);
}

/** PATH_MAX without its NUL, as symlink(2) has it. */
const maxTargetBytes = 4095;

function checkTarget(target: ByteString, path: ByteString, where: string): ByteString {
  if (target === "" || target.length > maxTargetBytes || target.includes("\0")) {
    throw new TsbuildError("INVALID_TAR", `${where}: the symlink ${quotePath(path)} has a target that no symlink can have`);
  }
  return target;
}
