import { openTarReader, type SkimmedTar } from "../../runtime-addon/index.ts";
import { type Digest, digestsFromBytes, parseDigest } from "../digest.ts";
import type { TarParser } from "./tar-parse.ts";

/** What there is to say of gzip while it is inflated. */
export interface GzipRules {
  /** Told often; throws where the bytes become too many. */
  inflated(plainBytes: number, gzipBytes: number): void;
  broken(why: string): Error;
}

/** What is read next may be so much before it is waited for. */
const batchBytes = 512 * 1024;

/**
 * Feeds a parser with a tar whose contents are hashed beside it, on other threads: plain, or gzip where there are rules for it. Answers what is to be known of the whole plain tar.
 * Chunks must stay as they are. A failure ends the reading at once, also while the next chunk is waited for; of several, the one about the earliest bytes is thrown.
 */
export async function skimTar(
  chunks: AsyncIterable<Uint8Array>,
  parser: TarParser,
  gzip?: GzipRules,
): Promise<{ readonly digest: Digest; readonly size: number }> {
  const reader = openTarReader({ gzip: gzip !== undefined });
  let batch: Uint8Array[] = [];
  let waitingBytes = 0;
  let readBytes = 0;
  let reading: Promise<void> = Promise.resolve();
  let isIdle = true;
  let failure: { readonly error: unknown } | undefined;
  let stopWaiting: (error: unknown) => void = () => undefined;

  /** Not by Promise.race, which would keep every chunk until the last one has come. */
  const orFailure = <T>(awaited: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      stopWaiting = reject;
      awaited.then(resolve, reject);
      if (failure !== undefined) reject(failure.error);
    });

  const take = (skimmed: SkimmedTar): void => {
    tell(parser, skimmed);
    gzip?.inflated(skimmed.plainBytes, readBytes);
    if (skimmed.broken !== undefined && gzip !== undefined) throw gzip.broken(skimmed.broken);
  };
  const read = async (given: readonly Uint8Array[]): Promise<void> => {
    isIdle = false;
    for (let next = given, more = true; more; next = []) {
      const skimmed = await reader.push(next);
      take(skimmed);
      more = skimmed.more;
    }
    isIdle = true;
  };
  const send = async (): Promise<void> => {
    await reading;
    readBytes += waitingBytes;
    reading = read(batch);
    reading.catch((error) => {
      failure = { error };
      stopWaiting(error);
    });
    batch = [];
    waitingBytes = 0;
  };

  const iterator = chunks[Symbol.asyncIterator]();
  let isOver = false;
  try {
    for (;;) {
      const next = await orFailure(iterator.next());
      isOver = next.done === true;
      if (next.done) break;
      batch.push(next.value);
      waitingBytes += next.value.length;
      if (isIdle || waitingBytes >= batchBytes) await send();
    }
    await send();
    await reading;
    const { digest, ...last } = reader.finish();
    take(last);
    parser.end();
    return { digest: parseDigest(`sha256:${digest}`), size: last.plainBytes };
  } catch (error) {
    await reading;
    throw error;
  } finally {
    // Not waited for: what is asked for may be long in coming.
    if (!isOver) iterator.return?.().catch(() => undefined);
  }
}

function tell(parser: TarParser, { rest, contents, digests }: SkimmedTar): void {
  let at = 0;
  for (const [i, digest] of digestsFromBytes(digests).entries()) {
    const position = contents[2 * i] ?? 0;
    if (position > at) parser.push(rest.subarray(at, position));
    parser.skip(contents[2 * i + 1] ?? 0, digest);
    at = position;
  }
  if (at < rest.length) parser.push(rest.subarray(at));
}
