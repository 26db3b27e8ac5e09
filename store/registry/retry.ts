import { setTimeout as delay } from "node:timers/promises";
import type { Abortable } from "../file-bytes.ts";
import { restated } from "./doing.ts";
import { RegistryError } from "./registry-error.ts";
import { secondsText } from "./seconds-text.ts";

/** The one policy for what fails for a passing reason. */
export interface RetryPolicy {
  /** Tries since something moved, the first included. */
  readonly attempts: number;
  /** No try begins later than this after the first failure since something moved. */
  readonly deadlineMs: number;
}

export interface RetryOptions extends Abortable {
  /** Hears what failed, and how long is waited. */
  readonly onRetry?: ((message: string) => void) | undefined;
}

/** Handed to the work of a try. */
export interface Try {
  /** Counts from 1. */
  readonly number: number;
  /** Something was moved that later tries need not move again: attempts and deadline start anew. */
  progressed(): void;
}

/**
 * Does the work until it succeeds, fails for good or the policy gives up; only a RegistryError that says it is retryable is repeated. What is thrown in the end
 * is the last failure, no longer retryable, with the number of tries in its message; or `signal.reason`.
 */
export type Retrying = <T>(work: (attempt: Try) => Promise<T>, options?: RetryOptions) => Promise<T>;

/** Where time and chance come from. */
export interface RetryClock {
  /** From 0 to less than 1. */
  readonly random?: () => number;
  /** Milliseconds that never go back. */
  readonly now?: () => number;
  /** Rejects when the signal aborts. */
  readonly sleep?: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
}

const baseMs = 500;
const longestMs = 30_000;

/**
 * Waits a random time of up to 0.5 s, 1 s, 2 s and so on to 30 s ("full jitter": clients that failed together do not come back together), and never less than
 * the server asked for.
 */
export function retryPolicy({ attempts, deadlineMs }: RetryPolicy, clock: RetryClock = {}): Retrying {
  const { random = Math.random, now = () => performance.now(), sleep = sleepFor } = clock;
  return async (work, { signal, onRetry } = {}) => {
    let failures = 0;
    let firstFailure: number | undefined;
    const progressed = () => {
      failures = 0;
      firstFailure = undefined;
    };
    for (let number = 1; ; number += 1) {
      signal?.throwIfAborted();
      try {
        return await work({ number, progressed });
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof RegistryError) || !error.retryable) throw error;
        failures += 1;
        firstFailure ??= now();
        const waitMs = (error.retryAfterMs ?? 0) + random() * Math.min(longestMs, baseMs * 2 ** (failures - 1));
        if (failures >= attempts) throw givenUp(error, number);
        if (now() + waitMs > firstFailure + deadlineMs) throw outOfTime(error, number, now() - firstFailure, deadlineMs);
        onRetry?.(`${error.message}; next try in ${secondsText(waitMs)}`);
        await sleep(waitMs, signal);
      }
    }
  };
}

/** The same policy; `onRetry` hears of what nobody else listens to. */
export function withListener(retrying: Retrying, onRetry: ((message: string) => void) | undefined): Retrying {
  return (work, options) => retrying(work, { ...options, onRetry: options?.onRetry ?? onRetry });
}

function givenUp(error: RegistryError, tries: number): RegistryError {
  return restated(error, tries === 1 ? error.message : `${error.message} (${count(tries)})`, { retryable: false });
}

function outOfTime(error: RegistryError, tries: number, spentMs: number, deadlineMs: number): RegistryError {
  const asked = error.retryAfterMs;
  const why =
    asked !== undefined && asked > deadlineMs
      ? `the server asks to wait ${secondsText(asked)}, longer than the ${secondsText(deadlineMs)} that failures may take`
      : `failures took ${secondsText(spentMs)} of ${secondsText(deadlineMs)}, the next would be later`;
  return restated(error, `${error.message} (${count(tries)}; ${why})`, { retryable: false });
}

function count(tries: number): string {
  return tries === 1 ? "1 try" : `${tries} tries`;
}

async function sleepFor(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    // Node wraps the signal's reason in an AbortError of its own.
    signal?.throwIfAborted();
    throw error;
  }
}
