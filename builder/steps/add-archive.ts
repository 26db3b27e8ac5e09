import { createReadStream, createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { removeTree, textOf } from "../../runtime-addon/index.ts";
import { plainBytes } from "../../store/compression.ts";
import { TsbuildError } from "../../store/errors.ts";
import { rootPath } from "../../store/layer/entry-path.ts";
import { readLayer } from "../../store/layer/tar-read.ts";
import type { Store } from "../../store/store.ts";
import type { PlacedSource } from "./copy-place.ts";
import type { CopySource, SourceNode } from "./copy-source.ts";

/** Sources in which archives have been replaced by what is in them. */
export interface UnpackedSources {
  readonly sources: readonly PlacedSource[];
  /** Removes the plain tars that contents refer to. */
  close(): Promise<void>;
}

const blockBytes = 512;

/**
 * ADD's rule for local archives: a regular file is unpacked when its content, decompressed if it is compressed, begins with a tar header;
 * its name does not matter. Anything else is copied as it is.
 */
export async function unpackArchives(sources: readonly CopySource[], store: Store, signal: AbortSignal): Promise<UnpackedSources> {
  const scratches: string[] = [];
  const close = async (): Promise<void> => {
    for (const scratch of scratches) await removeTree(scratch);
  };
  try {
    const all: PlacedSource[] = [];
    for (const source of sources) {
      const archive = await openArchive(source);
      if (archive === undefined) {
        all.push(source);
        continue;
      }
      const scratch = await store.temp("add");
      scratches.push(scratch);
      all.push(await unpack(source, archive, join(scratch, "plain.tar"), signal));
    }
    return { sources: all, close };
  } catch (error) {
    await close();
    throw error;
  }
}

type Bytes = () => AsyncIterable<Uint8Array>;

/** How to read the file, if it is an archive. */
async function openArchive(source: CopySource): Promise<Bytes | undefined> {
  const [top] = source.nodes;
  if (top?.kind !== "file" || source.nodes.length !== 1 || top.size < blockBytes / 16) return undefined;
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
    return isTarHeader(Buffer.concat(head)) ? read : undefined;
  } catch (error) {
    // Broken or not compressed after all: it is copied as the file it is.
    if (error instanceof TsbuildError && error.code === "INVALID_COMPRESSION") return undefined;
    throw error;
  }
}

function readerOf({ content, ...node }: SourceNode): Bytes | undefined {
  if (node.kind !== "file" || content === undefined) return undefined;
  switch (content.at) {
    case "path": {
      const path = Buffer.concat([Buffer.from(content.root), Buffer.from("/"), Buffer.from(content.path, "latin1")]);
      return () => readFile(path);
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

async function* readFile(path: Buffer): AsyncGenerator<Uint8Array> {
  const handle = await open(path, "r");
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

async function unpack(source: CopySource, read: Bytes, tar: string, signal: AbortSignal): Promise<PlacedSource> {
  await pipeline(plainBytes(read(), { signal }), createWriteStream(tar, { flags: "wx", mode: 0o600 }), { signal });
  const { tree } = await readLayer(createReadStream(tar));
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
  return { name: source.name, nodes: withTop(nodes), unpacked: true };
}

/** The archive's own entry for its top directory, else a plain one, first: what it is unpacked into. */
function withTop(nodes: readonly SourceNode[]): readonly SourceNode[] {
  const [first] = nodes;
  if (first?.path === "" && first.kind === "directory") return nodes;
  return [{ kind: "directory", path: rootPath, mode: 0o755, uid: 0, gid: 0, mtime: 0, mtimeNsec: 0 }, ...nodes];
}
