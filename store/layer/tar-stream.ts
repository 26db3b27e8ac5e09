import { closeSync, openSync, readSync } from "node:fs";
import { type Digest, digestOf } from "../digest.ts";
import { IntegrityError, TsbuildError } from "../errors.ts";
import type { Abortable } from "../file-bytes.ts";
import { verified } from "../verified.ts";
import { canonicalEntries, tarOrder } from "./canonical.ts";
import type { ContentRef, FileEntry, SourceEntry } from "./entry.ts";
import { quotePath } from "./entry-path.ts";
import { headerEncoder, padded, trailerBytes } from "./tar-format.ts";
import { headerOf } from "./tar-write.ts";

const flushBytes = 256 * 1024;
/** A file of up to this many bytes is read at once, with its neighbours in one chunk. */
const smallBytes = 64 * 1024;

type SourceFile = FileEntry & { readonly content: ContentRef; readonly digest?: Digest };

/**
 * The bytes that writeLayer would write, as they are asked for, with a few hundred KiB in memory. Contents are in plain tars; those whose digests are known are checked against
 * them. Throws IntegrityError, FILE_CHANGED where a tar ends too early, what canonicalEntries refuses, system errors and `signal.reason`.
 */
export async function* streamTar(entries: readonly SourceEntry[], { signal }: Abortable = {}): AsyncGenerator<Uint8Array, void, undefined> {
  const encoder = headerEncoder();
  const tars = openTars();
  let sent = 0;
  try {
    for (const entry of tarOrder(canonicalEntries(entries))) {
      encoder.add(headerOf(entry));
      if (entry.kind === "file" && entry.size <= smallBytes) encoder.addContent(smallContent(entry, tars));
      else if (entry.kind === "file") {
        yield encoder.take();
        yield* largeContent(entry, tars);
        yield new Uint8Array(padded(entry.size) - entry.size);
        sent = encoder.total;
      }
      if (encoder.total - sent < flushBytes) continue;
      signal?.throwIfAborted();
      yield encoder.take();
      sent = encoder.total;
    }
    encoder.addContent(new Uint8Array(trailerBytes));
    yield encoder.take();
  } finally {
    tars.close();
  }
}

interface Tars {
  read(file: SourceFile, from: number, size: number): Buffer;
  close(): void;
}

function openTars(): Tars {
  const open = new Map<string, number>();
  const openOnce = (tar: string): number => {
    const fd = open.get(tar) ?? openSync(tar, "r");
    open.set(tar, fd);
    return fd;
  };
  return {
    read({ path, content }, from, size) {
      if (content.at === "bytes") return Buffer.from(content.bytes.subarray(from, from + size));
      if (content.at === "path") throw new RangeError(`the content of ${quotePath(path)} is in no tar`);
      const bytes = Buffer.allocUnsafeSlow(size);
      for (let filled = 0; filled < size; ) {
        const count = readSync(openOnce(content.tar), bytes, filled, size - filled, content.offset + from + filled);
        if (count === 0) throw new TsbuildError("FILE_CHANGED", `reading ${quotePath(path)}: its layer's tar ends too early`);
        filled += count;
      }
      return bytes;
    },
    close: () => {
      for (const fd of open.values()) closeSync(fd);
    },
  };
}

function smallContent(file: SourceFile, tars: Tars): Buffer {
  const bytes = tars.read(file, 0, file.size);
  const digest = file.digest === undefined ? undefined : digestOf(bytes);
  if (digest !== undefined && digest !== file.digest) throw new IntegrityError(doing(file), file.digest ?? "", digest);
  return bytes;
}

async function* largeContent(file: SourceFile, tars: Tars): AsyncGenerator<Uint8Array, void, undefined> {
  const { size, digest } = file;
  const chunks = async function* () {
    for (let at = 0; at < size; at += flushBytes) yield tars.read(file, at, Math.min(flushBytes, size - at));
  };
  yield* digest === undefined ? chunks() : verified(chunks(), { digest, size }, doing(file));
}

function doing({ path }: SourceFile): string {
  return `reading the content of ${quotePath(path)}`;
}
