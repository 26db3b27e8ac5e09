import { createHash } from "node:crypto";
import { type Digest, digestFromBytes } from "./digest.ts";
import { IntegrityError } from "./errors.ts";

/** What bytes must come to. */
export interface Expected {
  readonly digest: Digest;
  readonly size: number;
}

/**
 * The same bytes, checked on the way: yields exactly `expected.size` bytes that hash to `expected.digest`, or throws
 * IntegrityError before the iteration ends. Bytes beyond the size are never yielded.
 */
export async function* verified(
  source: AsyncIterable<Uint8Array>,
  expected: Expected,
  what = `reading blob ${expected.digest}`,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const chunk of source) {
    sizeBytes += chunk.length;
    if (sizeBytes > expected.size) throw new IntegrityError(what, `${expected.size} bytes`, "more");
    hash.update(chunk);
    yield chunk;
  }
  if (sizeBytes !== expected.size) throw new IntegrityError(what, `${expected.size} bytes`, `${sizeBytes}`);
  const digest = digestFromBytes(hash.digest());
  if (digest !== expected.digest) throw new IntegrityError(what, expected.digest, digest);
}

/** The same for bytes in hand. */
export function checkBytes(bytes: Uint8Array, expected: Expected, what = `reading blob ${expected.digest}`): void {
  if (bytes.length !== expected.size) throw new IntegrityError(what, `${expected.size} bytes`, `${bytes.length}`);
  const digest = digestFromBytes(createHash("sha256").update(bytes).digest());
  if (digest !== expected.digest) throw new IntegrityError(what, expected.digest, digest);
}
