import { detectCompression, plainBytes } from "../../store/compression.ts";
import { TsbuildError } from "../../store/errors.ts";
import { type Abortable, fileBytes } from "../../store/file-bytes.ts";
import { checksumHolds } from "../../store/layer/tar-header.ts";
import { collectText } from "./small-text.ts";

/** What a stream of bytes is as a context. */
export type ArchiveOrText =
  /** All the bytes; whoever gets them reads them to their end, or ends them. */
  | { readonly kind: "tar"; readonly bytes: AsyncIterable<Uint8Array>; readonly isCompressed: boolean }
  | { readonly kind: "text"; readonly text: string };

const blockBytes = 512;

/**
 * Looks at the first block: compressed bytes and a tar's header are an archive, anything else is a Dockerfile. `name` is what errors call it. Throws
 * UNSUPPORTED_CONTEXT for bytes that no Dockerfile has, DOCKERFILE_TOO_LARGE, DOCKERFILE_UNREADABLE.
 */
export async function archiveOrText(source: AsyncIterable<Uint8Array>, name: string, { signal }: Abortable = {}): Promise<ArchiveOrText> {
  const iterator = source[Symbol.asyncIterator]();
  const head: Uint8Array[] = [];
  let headBytes = 0;
  while (headBytes < blockBytes) {
    if (signal?.aborted) await iterator.return?.();
    signal?.throwIfAborted();
    const next = await iterator.next();
    if (next.done) break;
    head.push(next.value);
    headBytes += next.value.length;
  }
  const block = Buffer.concat(head).subarray(0, blockBytes);
  const bytes = rejoined(head, iterator);
  const isCompressed = detectCompression(block) !== "none";
  if (isCompressed || isTarBlock(block)) return { kind: "tar", bytes, isCompressed };
  if (block.includes(0)) {
    await iterator.return?.();
    throw new TsbuildError("UNSUPPORTED_CONTEXT", `reading ${name}: it is neither a tar nor a Dockerfile`);
  }
  return { kind: "text", text: await collectText(bytes, name) };
}

/** Whether a file, decompressed if it is compressed, is a tar: its name does not matter. */
export async function isTarFile(path: string): Promise<boolean> {
  const head: Uint8Array[] = [];
  let headBytes = 0;
  try {
    for await (const chunk of plainBytes(fileBytes(path))) {
      head.push(chunk);
      headBytes += chunk.length;
      if (headBytes >= blockBytes) break;
    }
  } catch (error) {
    // Broken, or not compressed after all.
    if (error instanceof TsbuildError && error.code === "INVALID_COMPRESSION") return false;
    throw error;
  }
  return isTarBlock(Buffer.concat(head).subarray(0, blockBytes));
}

/** A header, or the end mark that an empty tar begins with. */
function isTarBlock(block: Buffer): boolean {
  return block.length === blockBytes && (checksumHolds(block) || block.every((byte) => byte === 0));
}

async function* rejoined(head: readonly Uint8Array[], rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* head;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}
