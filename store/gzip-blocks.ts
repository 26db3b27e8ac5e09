import { createHash, type Hash } from "node:crypto";
import { open } from "node:fs/promises";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { gzipFile, gzipLibrary, usableCpus } from "../runtime-addon/index.ts";
import { type Digest, digestFromBytes, parseDigest } from "./digest.ts";
import type { Abortable } from "./file-bytes.ts";
import { writeStream } from "./tee-file.ts";

/** What gzip(1) takes, too. */
export const defaultGzipLevel = 6;
const blockBytes = 2 ** 20;
/** More than any block becomes, so that each is one piece of work for the thread pool. */
const memberBytes = blockBytes + 2 ** 16;

export type GzipLibrary = "native" | "node";

export interface GzipBlocksOptions extends Abortable {
  /** 0 (stored) to 9. */
  readonly level?: number;
}

export interface GzippedBlocks {
  /** Of the plain bytes, as they were read. */
  readonly plainDigest: Digest;
  readonly digest: Digest;
  readonly size: number;
}

/** What compresses here: the addon's library, or node:zlib where it has none. */
export function gzipLibraryInUse(): GzipLibrary {
  return gzipLibrary() === undefined ? "node" : "native";
}

/** Names all that the compressed bytes depend on besides the plain ones: "libdeflate-1.14-6-1MiB". */
export function gzipCompressor(library: GzipLibrary = gzipLibraryInUse(), level: number = defaultGzipLevel): string {
  const name = library === "native" ? gzipLibrary() : `zlib-${process.versions.zlib}`;
  return `${name}-${level}-${blockBytes / 2 ** 20}MiB`;
}

/**
 * Compresses a file into a new one at `to`, on all cores, each MiB to a gzip member of its own: what comes out depends on `gzipCompressor` alone,
 * neither on the number of cores nor on timing (but Chromium's zlib, which Node carries, also has other ways on other kinds of processors), and a few
 * MiB a core are all the memory. Not flushed to the disk. Throws system errors, FILE_CHANGED and `signal.reason`, and leaves no file then.
 */
export async function gzipBlocks(
  from: string,
  to: string,
  { signal, level = defaultGzipLevel }: GzipBlocksOptions = {},
  library: GzipLibrary = gzipLibraryInUse(),
): Promise<GzippedBlocks> {
  if (library === "node") return gzipByNode(from, to, { signal, level });
  const { plainDigest, digest, size } = await gzipFile(from, to, { level, blockBytes, signal });
  return { plainDigest: parseDigest(`sha256:${plainDigest}`), digest: parseDigest(`sha256:${digest}`), size };
}

async function gzipByNode(from: string, to: string, { signal, level }: Abortable & { level: number }): Promise<GzippedBlocks> {
  const plain = createHash("sha256");
  const written = await writeStream(members(blocks(from, plain), level), to, { sync: false, signal });
  return { plainDigest: digestFromBytes(plain.digest()), ...written };
}

/** A file in full blocks and a last one of what is left; an empty file is one empty block. */
async function* blocks(path: string, hash: Hash): AsyncGenerator<Buffer, void, undefined> {
  const file = await open(path, "r");
  try {
    for (let first = true; ; first = false) {
      const block = Buffer.allocUnsafeSlow(blockBytes);
      let filled = 0;
      while (filled < blockBytes) {
        const { bytesRead } = await file.read(block, filled, blockBytes - filled, null);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      if (filled === 0 && !first) return;
      hash.update(block.subarray(0, filled));
      yield block.subarray(0, filled);
      if (filled < blockBytes) return;
    }
  } finally {
    await file.close();
  }
}

/** The blocks' gzip members in order, one more than there are cores under way. */
async function* members(source: AsyncIterable<Buffer>, level: number): AsyncGenerator<Buffer, void, undefined> {
  const underWay: Promise<Buffer>[] = [];
  try {
    for await (const block of source) {
      const member = gzipMember(block, level);
      // A failure is met when its turn has come; until then it must not count as unhandled.
      member.catch(() => undefined);
      underWay.push(member);
      yield* takenDownTo(usableCpus(), underWay);
    }
    yield* takenDownTo(0, underWay);
  } finally {
    await Promise.allSettled(underWay);
  }
}

async function* takenDownTo(count: number, queue: Promise<Buffer>[]): AsyncGenerator<Buffer, void, undefined> {
  for (let [first] = queue; first !== undefined && queue.length > count; [first] = queue) {
    yield await first;
    queue.shift();
  }
}

const compress = promisify<Buffer, { level: number; chunkSize: number }, Buffer>(gzip);
/** RFC 1952 §2.3: where the member says on which operating system it was made, and the value that says nothing. */
const systemAt = 9;
const unknownSystem = 255;

async function gzipMember(block: Buffer, level: number): Promise<Buffer> {
  const member = await compress(block, { level, chunkSize: memberBytes });
  member[systemAt] = unknownSystem;
  return member;
}
