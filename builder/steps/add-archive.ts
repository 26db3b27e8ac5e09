import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { FileChangedError, removeTree, textOf } from "../../runtime-addon/index.ts";
import { plainBytes } from "../../store/compression.ts";
import { type Digest, digestFromBytes } from "../../store/digest.ts";
import { TsbuildError } from "../../store/errors.ts";
import type { FileEntry } from "../../store/layer/entry.ts";
import { rootPath } from "../../store/layer/entry-path.ts";
import { contentsBytes, writeContents } from "../../store/layer/sparse-contents.ts";
import { readLayer } from "../../store/layer/tar-read.ts";
import type { Store } from "../../store/store.ts";
import { openConfined } from "../context/confined-file.ts";
import type { PlacedSource } from "./copy-place.ts";
import type { CopySource, SourceNode } from "./copy-source.ts";

/** Sources in which archives have been replaced by what is in them. */
export interface UnpackedSources {
  readonly sources: readonly PlacedSource[];
  /** Of the archives as they were read, by the node that each was. */
  readonly digests: ReadonlyMap<SourceNode, Digest>;
  /** Removes the plain tars that contents refer to. */
  close(): Promise<void>;
}

const blockBytes = 512;

/**
 * ADD's rule for archives: a regular file, of those that are wanted unpacked, is when its content, decompressed if it is compressed, begins with a tar
 * header; its name does not matter. Anything else is copied as it is.
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
      digests.set(archive.node, await inflate(archive, tar, signal));
      all.push(await unpack(source, tar));
    }
    return { sources: all, digests, close };
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
    return isTarHeader(Buffer.concat(head)) ? { node: top, read } : undefined;
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

/** A header whose checksum is right (POSIX.1-2017, pax, "ustar Interchange Format"). */
function isTarHeader(block: Buffer): boolean {
  if (block.length < blockBytes) return false;
  const stored = Number.parseInt(
    block
      .toString("latin1", 148, 156)
      .replace(/[\0 ]+/g, " ")
      .trim(),
    8,
  );
  let sum = 0;
  for (let i = 0; i < blockBytes; i++) sum += i >= 148 && i < 156 ? 0x20 : (block[i] ?? 0);
  return sum === stored && sum !== 8 * 0x20;
}

/** Writes the plain tar, and gives the digest of the archive as it was read, which the step's key is made of. */
async function inflate({ node, read }: Archive, tar: string, signal: AbortSignal): Promise<Digest> {
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
    await pipeline(plainBytes(hashed(), { signal }), createWriteStream(tar, { flags: "wx", mode: 0o600 }), { signal });
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

async function unpack(source: CopySource, plainTar: string): Promise<PlacedSource> {
  const { tree } = await readLayer(createReadStream(plainTar));
  const tar = contentsBytes(tree) === undefined ? plainTar : `${plainTar}.contents`;
  if (tar !== plainTar) await writeContents(plainTar, tar, tree);
  const nodes: SourceNode[] = [];
  for (const entry of tree.entries) {
    if (entry.kind === "whiteout" || entry.kind === "opaque") {
      throw new TsbuildError(
        "RESERVED_NAME",
        `unpacking ${textOf(source.name)}: "${textOf(entry.path)}" has the name of a layer's whiteout`,
        {
          hint: "names that begin with .wh. cannot be in an image",
        },
      );
    }
    nodes.push(entry.kind === "file" ? { ...entry, content: { at: "tar", tar, offset: entry.offset } } : entry);
  }
  return { name: source.name, nodes: [unpackedTop, ...nodes.filter(({ path }) => path !== "")], unpacked: true };
}

/** An archive is unpacked into a directory; what it says of its own top directory does not count. */
const unpackedTop: SourceNode = { kind: "directory", path: rootPath, mode: 0o755, uid: 0, gid: 0, mtime: 0, mtimeNsec: 0 };
