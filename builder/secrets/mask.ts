import type { PatternSet } from "../../runtime-addon/index.ts";
import type { SecretPattern } from "./secret-patterns.ts";

const mask = Buffer.from("***");

/** A stream of output with secrets taken out. */
export interface MaskedStream {
  add(chunk: Uint8Array): void;
  /** Lets go what was held back because it could have been the beginning of a secret. */
  end(): void;
}

/**
 * What passes through goes on as it comes, but for what could be the beginning of a secret: that waits until it is known. A line does not wait for its last characters, up to three,
 * with which an encoded secret could begin that is broken there: they are shown, and of such a secret the rest is hidden.
 */
export function maskStream(patterns: PatternSet<SecretPattern>, onChunk: (chunk: Uint8Array) => void): MaskedStream {
  let held: Buffer = Buffer.alloc(0);
  /** Of what is held: so much at its beginning is masked already, or shown. */
  let done: Done = { hidden: 0, shown: 0 };
  const take = (text: Buffer, last: boolean): void => {
    const { shown, end, hiddenEnd } = withoutSecrets(text, done, last, patterns);
    held = Buffer.from(text.subarray(end));
    const hidden = Math.max(0, hiddenEnd - end);
    const before = Math.max(hidden, done.shown - end);
    const isLine = endsLine(held);
    const early = isLine ? held.subarray(before) : Buffer.alloc(0);
    done = { hidden, shown: isLine ? held.length : Math.max(0, done.shown - end) };
    if (shown.length + early.length > 0) onChunk(Buffer.concat([shown, early]));
  };
  return {
    add: (chunk) => take(Buffer.concat([held, chunk]), false),
    end: () => take(held, true),
  };
}

/** A text with what is secret in it taken out. */
export function masked(text: Buffer, patterns: PatternSet<SecretPattern>): Buffer {
  return withoutSecrets(text, { hidden: 0, shown: 0 }, true, patterns).shown;
}

/** A few characters and the end of their line: too little of a secret to say anything of it, and many lines end so. */
function endsLine(text: Buffer): boolean {
  return text.length <= mostEarlyBytes && /^(?:[^\r\n\t ][\r\n\t ]*){1,3}[\r\n]$/.test(text.toString("latin1"));
}

/** Three characters, and as much between and behind them as an encoding may have. */
const mostEarlyBytes = 12;

/** What was done with bytes at the beginning of a text before. */
interface Done {
  /** So many belong to a secret that is masked already. */
  readonly hidden: number;
  /** So many went on as they are. */
  readonly shown: number;
}

/** Secrets that overlap are hidden as one. `hiddenEnd`: as far goes what this masks, which may be beyond `end`. */
function withoutSecrets(
  text: Buffer,
  { hidden, shown }: Done,
  last: boolean,
  patterns: PatternSet<SecretPattern>,
): { readonly shown: Buffer; readonly end: number; readonly hiddenEnd: number } {
  const { end, matches } = patterns.find(text, last);
  const parts: Buffer[] = [];
  let at = Math.max(hidden, shown);
  for (const match of matches) {
    const from = Math.max(match.begin, shown);
    if (from >= at) parts.push(text.subarray(at, from), mask);
    at = Math.max(at, match.end);
  }
  if (at < end) parts.push(text.subarray(at, end));
  return { shown: Buffer.concat(parts), end, hiddenEnd: at };
}
