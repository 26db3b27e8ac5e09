import type { PatternSet } from "../../runtime-addon/index.ts";
import type { SecretPattern } from "./secret-patterns.ts";

const mask = Buffer.from("***");

/** A stream of output with secrets taken out. */
export interface MaskedStream {
  add(chunk: Uint8Array): void;
  /** Lets go what was held back because it could have been the beginning of a secret. */
  end(): void;
}

/** What passes through goes on as it comes, but for what could be the beginning of a secret: that waits until it is known. */
export function maskStream(patterns: PatternSet<SecretPattern>, onChunk: (chunk: Uint8Array) => void): MaskedStream {
  let held: Buffer = Buffer.alloc(0);
  let hidden = 0;
  const take = (text: Buffer, last: boolean): void => {
    const { shown, end, hiddenEnd } = withoutSecrets(text, hidden, last, patterns);
    held = Buffer.from(text.subarray(end));
    hidden = Math.max(0, hiddenEnd - end);
    if (shown.length > 0) onChunk(shown);
  };
  return {
    add: (chunk) => take(Buffer.concat([held, chunk]), false),
    end: () => take(held, true),
  };
}

/** A text with what is secret in it taken out. */
export function masked(text: Buffer, patterns: PatternSet<SecretPattern>): Buffer {
  return withoutSecrets(text, 0, true, patterns).shown;
}

/**
 * Secrets that overlap are hidden as one. `hidden`: so much at the beginning belongs to one that is masked already; `hiddenEnd`: as far does
 * what this masks, which may be beyond `end`.
 */
function withoutSecrets(
  text: Buffer,
  hidden: number,
  last: boolean,
  patterns: PatternSet<SecretPattern>,
): { readonly shown: Buffer; readonly end: number; readonly hiddenEnd: number } {
  const { end, matches } = patterns.find(text, last);
  const parts: Buffer[] = [];
  let at = hidden;
  for (const match of matches) {
    if (match.begin >= at) parts.push(text.subarray(at, match.begin), mask);
    at = Math.max(at, match.end);
  }
  if (at < end) parts.push(text.subarray(at, end));
  return { shown: Buffer.concat(parts), end, hiddenEnd: at };
}
