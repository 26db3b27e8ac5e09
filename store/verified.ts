import { createHash } from "node:crypto";
import { type Digest, digestFromBytes } from "./digest.ts";
import { IntegrityError, TsbuildError } from "./errors.ts";

/** What bytes must come to. */
export interface Expected {
  readonly digest: Digest;
  readonly size: number;
}

/**
 * The same bytes, checked on the way: yields exactly `expected.size` bytes that hash to `expected.digest`, or throws
 * IntegrityError before the iteration ends. Bytes beyond the size are never yielded, nor is the last chunk of wrong ones: who sends them on has not sent all.
 */
export async function* verified(
  source: AsyncIterable<Uint8Array>,
  expected: Expected,
  what = `reading blob ${expected.digest}`,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  let digest: Digest | undefined;
  for await (const chunk of source) {
    sizeBytes += chunk.length;
    if (sizeBytes > expected.size) throw new IntegrityError(what, `${expected.size} bytes`, "more");
    // Behind the last byte only what is empty can come.
    if (digest === undefined) hash.update(chunk);
    if (sizeBytes === expected.size) digest ??= digestFromBytes(hash.digest());
    if (digest === undefined || digest === expected.digest) yield chunk;
  }
  if (sizeBytes !== expected.size) throw new IntegrityError(what, `${expected.size} bytes`, `${sizeBytes}`);
  digest ??= digestFromBytes(hash.digest());
  if (digest !== expected.digest) throw new IntegrityError(what, expected.digest, digest);
}

/** The same for bytes in hand. */
export function checkBytes(bytes: Uint8Array, expected: Expected, what = `reading blob ${expected.digest}`): void {
  if (bytes.length !== expected.size) throw new IntegrityError(what, `${expected.size} bytes`, `${bytes.length}`);
  const digest = digestFromBytes(createHash("sha256").update(bytes).digest());
  if (digest !== expected.digest) throw new IntegrityError(what, expected.digest, digest);
}

/**
 * Runs work that reads from `open()`, which is verified. What breaks over damaged bytes breaks before their end, where the damage shows: then the
 * bytes are read once more, and if they are not what they should be, that is the error.
 */
export async function blameDamage<T>(open: () => AsyncIterable<Uint8Array>, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TsbuildError && !(error instanceof IntegrityError)) for await (const _ of open());
    throw error;
  }
}
