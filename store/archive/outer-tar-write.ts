import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";

/** A file to be written into an archive. */
export interface OuterFile {
  readonly name: string;
  readonly sizeBytes: number;
  /** Exactly `sizeBytes`. */
  readonly content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

export function smallFile(name: string, bytes: Buffer): OuterFile {
  return { name, sizeBytes: bytes.length, content: [bytes] };
}

/**
 * The bytes of a tar of these files. The same files give the same bytes: times and owners are zero. Errors of a file's content come out as
 * they are.
 */
export async function* outerTar(files: Iterable<OuterFile>): AsyncGenerator<Uint8Array, void, undefined> {
  // Loaded when an archive is written, which most commands never do.
  const { pack } = await import("tar-stream");
  const tar = pack();
  const writing = (async () => {
    for (const { name, sizeBytes, content } of files) {
      const header = { name, size: sizeBytes, type: "file", mode: 0o644, uid: 0, gid: 0, mtime: new Date(0) } as const;
      await pipeline(content, tar.entry(header) as unknown as Writable);
    }
    tar.finalize();
  })();
  writing.catch((error: Error) => tar.destroy(error));
  try {
    for await (const chunk of tar) yield chunk as Buffer;
  } finally {
    tar.destroy();
    await writing.catch(() => undefined);
  }
}
