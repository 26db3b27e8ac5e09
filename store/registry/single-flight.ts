import type { Abortable } from "../file-bytes.ts";

/** Does work that several callers want at the same time once. */
export type SingleFlight<T> = (key: string, work: (signal: AbortSignal) => Promise<T>, options?: Abortable) => Promise<T>;

interface Flight<T> {
  readonly result: Promise<T>;
  readonly giveUp: AbortController;
  waiting: number;
}

/**
 * Callers with the same key share the first one's work while it lasts, its failure too. Who is aborted leaves with `signal.reason` and takes nothing from the
 * others; when the last one has left, the work's own signal is aborted.
 */
export function singleFlight<T>(): SingleFlight<T> {
  const flights = new Map<string, Flight<T>>();

  const start = (key: string, work: (signal: AbortSignal) => Promise<T>): Flight<T> => {
    const giveUp = new AbortController();
    const flight: Flight<T> = { result: work(giveUp.signal), giveUp, waiting: 0 };
    flights.set(key, flight);
    const landed = (): void => {
      if (flights.get(key) === flight) flights.delete(key);
    };
    flight.result.then(landed, landed);
    return flight;
  };

  return async (key, work, { signal } = {}) => {
    signal?.throwIfAborted();
    const flight = flights.get(key) ?? start(key, work);
    flight.waiting += 1;
    try {
      return await unlessAborted(flight.result, signal);
    } finally {
      flight.waiting -= 1;
      if (flight.waiting === 0) {
        if (flights.get(key) === flight) flights.delete(key);
        flight.giveUp.abort();
      }
    }
  };
}

/** As singleFlight, and what succeeded once is not done again. */
export function onceEach<T>(): SingleFlight<T> {
  const done = new Map<string, { readonly value: T }>();
  const flight = singleFlight<T>();
  return async (key, work, options) => {
    const known = done.get(key);
    if (known !== undefined) return known.value;
    const value = await flight(key, work, options);
    done.set(key, { value });
    return value;
  };
}

async function unlessAborted<T>(result: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return result;
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort);
  });
  try {
    return await Promise.race([result, aborted]);
  } finally {
    if (onAbort !== undefined) signal.removeEventListener("abort", onAbort);
  }
}
