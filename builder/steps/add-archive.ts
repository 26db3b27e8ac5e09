import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { type ByteString, FileChangedError, removeTree, textOf } from "../../runtime-addon/index.ts";
import { type PlainLimits, plainBytes } from "../../store/compression.ts";
import { type Digest, digestFromBytes } from "../../store/digest.ts";
import { TsbuildError } from "../../store/errors.ts";
import type { FileEntry, TreeEntry } from "../../store/layer/entry.ts";
import { quotePath } from "../../store/layer/entry-path.ts";
import type { TarInode } from "../../store/layer/layer-collector.ts";
import { type LayerLimits, layerMeter } from "../../store/layer/layer-limits.ts";
import { contentsBytes, writeContents } from "../../store/layer/sparse-contents.ts";
import { checksumHolds } from "../../store/layer/tar-header.ts";
import { readTar } from "../../store/layer/tar-read.ts";
import type { Store } from "../../store/store.ts";
import { teeToFile } from "../../store/tee-file.ts";
import { plainLimitsOf } from "../../store/unpack-limits.ts";
import { openConfined } from "../context/confined-file.ts";
import type { PlacedSource } from "./copy-place.ts";
import type { CopySource, SourceNode } from "./copy-source.ts";

/** Sources in which archives have been replaced by what is in them. */
export interface UnpackedSources {
  readonly sources: readonly PlacedSource[];
  /** Of the archives as they were read, by the node that each was. */
  readonly digests: ReadonlyMap<SourceNode, Digest>;
  /** How many devices the archives have, which are left out. */
  readonly devices: number;
  /** Removes the plain tars that contents refer to. */
  close(): Promise<void>;
}

const blockBytes = 512;

/**
 * ADD's rule for archives: a regular file, of those that are wanted unpacked, is when its content, decompressed if it is compressed, begins with a tar
 * header; its name does not matter. Anything else is copied as it is. Devices of an archive are left out, and replace nothing.
 */
export async function unpackArchives(
  sources: readonly CopySource[],
  isWanted: (source: CopySource) => boolean,
  store: Store,
  signal: AbortSignal,
): Promise<UnpackedSources> {
  const scratches: string[] = [];
  const close = async (): Promise<void> => {
    for (const scratch of scratches) await removeTree(scratch);
  };
  const digests = new Map<SourceNode, Digest>();
  let devices = 0;
  try {
    const all: PlacedSource[] = [];
    for (const source of sources) {
      const archive = isWanted(source) ? await openArchive(source) : undefined;
      if (archive === undefined) {
        all.push(source);
        continue;
      }
      const scratch = await store.temp("add");
      scratches.push(scratch);
      const tar = join(scratch, "plain.tar");
      digests.set(archive.node, await inflate(archive, tar, plainLimitsOf(store.unpackLimits), signal));
      const unpacked = await entriesOf(source, tar, store.unpackLimits);
      all.push({ name: source.name, nodes: unpacked.nodes, unpacked: true });
      devices += unpacked.devices;
    }
    return { sources: all, digests, devices, close };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Archive {
  readonly node: FileEntry & SourceNode;
  read(): AsyncIterable<Uint8Array>;
}

/** How to read the source, if it is an archive. */
async function openArchive(source: CopySource): Promise<Archive | undefined> {
  const [top] = source.nodes;
  if (top?.kind !== "file" || source.nodes.length !== 1 || top.size === 0) return undefined;
  const read = readerOf(top);
  if (read === undefined) return undefined;
  try {
    const head: Buffer[] = [];
    let length = 0;
    for await (const chunk of plainBytes(read())) {
      head.push(Buffer.from(chunk));
      length += chunk.length;
      if (length >= blockBytes) break;
    }
    return length >= blockBytes && checksumHolds(Buffer.concat(head)) ? { node: top, read } : undefined;
  } catch (error) {
    // Broken or not compressed after all: it is copied as the file it is.
    if (error instanceof TsbuildError && error.code === "INVALID_COMPRESSION") return undefined;
    throw error;
  }
}

function readerOf({ content, ...node }: SourceNode): Archive["read"] | undefined {
  if (node.kind !== "file" || content === undefined) return undefined;
  switch (content.at) {
    case "path": {
      const path = Buffer.concat([Buffer.from(content.root), Buffer.from("/"), Buffer.from(content.path, "latin1")]);
      return () => readFile(content.root, path);
    }
    case "tar":
      return () =>
        node.size === 0 ? empty() : createReadStream(content.tar, { start: content.offset, end: content.offset + node.size - 1 });
    case "bytes":
      return async function* () {
        yield content.bytes;
      };
  }
}

async function* readFile(root: string, path: Buffer): AsyncGenerator<Uint8Array> {
  const handle = await openConfined(root, path);
  try {
    yield* handle.createReadStream({ autoClose: false });
  } finally {
    await handle.close();
  }
}

async function* empty(): AsyncGenerator<Uint8Array> {}

/** Writes the plain tar, and gives the digest of the archive as it was read, which the step's key is made of. */
async function inflate({ node, read }: Archive, tar: string, limits: PlainLimits, signal: AbortSignal): Promise<Digest> {
  const iterator = read()[Symbol.asyncIterator]();
  const hash = createHash("sha256");
  let size = 0;
  const next = async () => {
    const result = await iterator.next();
    if (result.done) return undefined;
    hash.update(result.value);
    size += result.value.length;
    return result.value;
  };
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for (let chunk = await next(); chunk !== undefined; chunk = await next()) yield chunk;
  }
  try {
    for await (const _ of teeToFile(plainBytes(hashed(), { signal, limits }), tar, { sync: false, signal }));
    // What stands behind the end of the compressed data is part of the file too.
    while ((await next()) !== undefined);
  } finally {
    await iterator.return?.();
  }
  if (size !== node.size) {
    const path = textOf(node.content?.at === "path" ? node.content.path : node.path);
    throw new FileChangedError(`reading "${path}": it had ${node.size} bytes and now has ${size}`, path, undefined);
  }
  return digestFromBytes(hash.digest());
}

/** The entries of a plain tar, in its order. */
async function entriesOf(
  source: CopySource,
  tar: string,
  limits: LayerLimits,
): Promise<{ readonly nodes: readonly SourceNode[]; readonly devices: number }> {
  const found: (SourceNode | FoundFile)[] = [];
  let devices = 0;
  const meter = layerMeter(limits);
  const refuse = (path: ByteString): never => {
    throw new TsbuildError("RESERVED_NAME", `unpacking ${quotePath(source.name)}: ${quotePath(path)} has the name of a layer's whiteout`, {
      hint: "names that begin with .wh. cannot be in an image",
    });
  };
  const size = await readTar(createReadStream(tar), {
    file(path, inode, where) {
      meter.entry(path, where, undefined, inode);
      found.push({ path, inode });
    },
    hardlink(path, target, attributes, where) {
      meter.entry(path, where, target, attributes);
      found.push({ kind: "hardlink", path, target, ...attributes });
    },
    other(entry, where) {
      meter.entry(entry.path, where, entry.kind === "symlink" ? entry.target : undefined, entry);
      if (entry.kind === "char" || entry.kind === "block") devices++;
      else found.push(entry);
    },
    whiteout: refuse,
    opaque: refuse,
  });
  const contents = await contentsOf(tar, size, found);
  const nodes = found.map((node): SourceNode => {
    if (!("inode" in node)) return node;
    const { digest: _digest, offset, ...inode } = node.inode;
    return { kind: "file", path: node.path, ...inode, content: { at: "tar", tar: contents, offset } };
  });
  return { nodes, devices };
}

/** A file of the archive: where its content is is known when all has been read. */
interface FoundFile {
  readonly path: ByteString;
  readonly inode: TarInode;
}

/** Where the offsets hold: the tar itself, or beside it its copy with the sparse files whole. */
async function contentsOf(tar: string, size: number, found: readonly (SourceNode | FoundFile)[]): Promise<string> {
  const entries = found.flatMap((node): TreeEntry[] => ("inode" in node ? [{ kind: "file", path: node.path, ...node.inode }] : []));
  if (contentsBytes({ size, entries }) === undefined) return tar;
  const contents = `${tar}.contents`;
  await writeContents(tar, contents, { size, entries });
  return contents;
}
