/** The receiving end of an answer's body: bytes come as the connection gives them, and go as they are asked for. */
export interface ReceivedBody {
  /** False when more is waiting to be read than should be: the connection is to pause until `resume`. */
  push(chunk: Uint8Array): boolean;
  end(): void;
  /** What has come before is read first. */
  fail(error: unknown): void;
  /** As `fail`, at once. */
  abort(reason: unknown): void;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** The connection, as far as a body drives it. */
export interface BodySource {
  resume(): void;
  /** The reader left before the end. */
  leave(): void;
}

const fullBytes = 256 * 1024;

export function receivedBody(source: BodySource): ReceivedBody {
  const waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  let outcome: "open" | "ended" | { readonly error: unknown } = "open";
  let wake: (() => void) | undefined;

  const settle = (result: "ended" | { readonly error: unknown }) => {
    if (outcome === "open") outcome = result;
    wake?.();
  };

  const next = async (): Promise<IteratorResult<Uint8Array, undefined>> => {
    for (;;) {
      const chunk = waiting.shift();
      if (chunk !== undefined) {
        waitingBytes -= chunk.length;
        if (outcome === "open" && waiting.length === 0) source.resume();
        return { done: false, value: chunk };
      }
      if (outcome === "ended") return { done: true, value: undefined };
      if (outcome !== "open") {
        const { error } = outcome;
        // An error is thrown once; whoever asks again after it is at the end.
        outcome = "ended";
        throw error;
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      wake = undefined;
    }
  };

  // Not a generator: leaving one that was never asked for anything runs none of its code.
  const iterator: AsyncIterator<Uint8Array, undefined> = {
    next,
    return: async () => {
      const left = outcome === "open";
      settle("ended");
      waiting.length = 0;
      if (left) source.leave();
      return { done: true, value: undefined };
    },
  };

  return {
    push: (chunk) => {
      if (outcome !== "open") return true;
      waiting.push(chunk);
      waitingBytes += chunk.length;
      wake?.();
      return waitingBytes < fullBytes;
    },
    end: () => settle("ended"),
    fail: (error) => settle({ error }),
    abort: (reason) => {
      if (outcome === "open") waiting.length = 0;
      settle({ error: reason });
    },
    bytes: { [Symbol.asyncIterator]: () => iterator },
  };
}
