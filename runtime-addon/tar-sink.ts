import { nativeAddon } from "./binding.ts";
import type { ByteString } from "./bytes.ts";
import { rethrowChanges } from "./file-changed.ts";
import { MessageWriter, type PackedMessage } from "./message.ts";
import { finishJob } from "./native-job.ts";

/** A stretch of a tar that is being written. */
export type TarPiece =
  /** Written as it is. */
  | { readonly bytes: Uint8Array }
  /** A file's content, then zeros up to a multiple of 512. It must be a regular file of exactly `size` bytes, and no part of `path` a symlink. */
  | { readonly root: string; readonly path: ByteString; readonly size: number }
  /** A byte range of another file, then zeros up to a multiple of 512. */
  | { readonly tar: string; readonly offset: number; readonly size: number };

/** A file that is being written. One call at a time; after a failure only `abort` is left. */
export interface TarSink {
  /**
   * Appends the pieces, and resolves with 32 bytes of SHA-256 for each that is not `bytes`, in order. Rejects with a system
   * error, with FILE_CHANGED, or with `signal.reason` when aborted. The `bytes` are copied before the call returns.
   */
  write(pieces: readonly TarPiece[], signal?: AbortSignal): Promise<Buffer>;
  /** Closes the file, after an fsync(2) with `sync`. `digest` is the SHA-256 of all its bytes, in hex. */
  finish(options: { readonly sync: boolean }): Promise<{ readonly digest: string; readonly size: number }>;
  /** Closes and removes the file. Does nothing after `finish` or `abort`. */
  abort(): Promise<void>;
}

const BYTES = 0;
const FILE = 1;
const RANGE = 2;

/** Creates the file, which must not exist, with mode 0644. Throws a system error. */
export function openTarSink(path: string): TarSink {
  const sink = new (nativeAddon().TarSink)(path);
  /** Memory of the last call for the next one's bytes; absent while a call has it. */
  let spare: Buffer | undefined;
  return {
    async write(pieces, signal) {
      const packed = packPieces(pieces, spare);
      spare = undefined;
      const { numbers, text, bytes, hosts, memory } = packed;
      const digests = await rethrowChanges(finishJob(() => sink.write(numbers, text, bytes, hosts), signal));
      spare = memory;
      return digests;
    },
    async finish({ sync }) {
      const { digest, size } = await rethrowChanges(sink.finish(sync));
      return { digest: digest.toString("hex"), size };
    },
    abort: async () => sink.abort(),
  };
}

interface PackedPieces extends PackedMessage {
  /** Of all pieces that are bytes, joined: a part of `memory`. */
  readonly bytes: Buffer;
  readonly memory: Buffer;
  readonly hosts: readonly string[];
}

function packPieces(pieces: readonly TarPiece[], spare: Buffer | undefined): PackedPieces {
  const message = new MessageWriter();
  const parts: Uint8Array[] = [];
  let size = 0;
  const roots = new Map<string, number>();
  const tars = new Map<string, number>();
  const hosts: string[] = [];
  const hostOf = (known: Map<string, number>, path: string): number => {
    let index = known.get(path);
    if (index === undefined) {
      index = hosts.push(path) - 1;
      known.set(path, index);
    }
    return index;
  };
  for (const piece of pieces) {
    if ("bytes" in piece) {
      message.number(BYTES).number(piece.bytes.byteLength);
      parts.push(piece.bytes);
      size += piece.bytes.byteLength;
    } else if ("root" in piece) {
      message.number(FILE).number(hostOf(roots, piece.root)).number(piece.size).text(piece.path);
    } else {
      message.number(RANGE).number(hostOf(tars, piece.tar)).number(piece.offset).number(piece.size);
    }
  }
  const memory = spare !== undefined && spare.length >= size ? spare : Buffer.allocUnsafeSlow(size);
  let at = 0;
  for (const part of parts) {
    memory.set(part, at);
    at += part.byteLength;
  }
  return { ...message.finish(), bytes: memory.subarray(0, size), memory, hosts };
}
