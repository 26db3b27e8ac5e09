import { open } from "node:fs/promises";

const chunkBytes = 256 * 1024;

export interface Abortable {
  readonly signal?: AbortSignal | undefined;
}

/**
 * A file's bytes in chunks of up to 256 KiB, each a buffer of its own, read one ahead of the consumer.
 * Leaving the loop early closes the file. Throws Node's system errors and `signal.reason`.
 */
export async function* fileBytes(path: string, options: Abortable = {}): AsyncGenerator<Buffer, void, undefined> {
  const file = await open(path, "r");
  const read = () => file.read(Buffer.allocUnsafeSlow(chunkBytes), 0, chunkBytes, null);
  let ahead = read();
  try {
    for (;;) {
      options.signal?.throwIfAborted();
      const { bytesRead, buffer } = await ahead;
      if (bytesRead === 0) return;
      ahead = read();
      yield bytesRead === chunkBytes ? buffer : buffer.subarray(0, bytesRead);
    }
  } finally {
    // The read in flight must end before its descriptor does; whether it failed no longer matters to anyone.
    await ahead.catch(() => undefined);
    await file.close();
  }
}

/** All of a source of at most `limitBytes`; more is refused by `tooLong()`, with no more than the limit in memory. */
export async function collect(source: AsyncIterable<Uint8Array>, limitBytes: number, tooLong: () => Error): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of source) {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes) throw tooLong();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, sizeBytes);
}
