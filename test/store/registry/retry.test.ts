import { describe, expect, it } from "vitest";
import { RegistryError } from "../../../store/registry/registry-error.ts";
import { type RetryPolicy, retryPolicy, type Try } from "../../../store/registry/retry.ts";
import { failureOf } from "./http-fixtures.ts";

/** A clock that only sleeping moves, and chance that always says the most. */
function setup(policy: Partial<RetryPolicy> = {}, random = 1) {
  let nowMs = 1_000_000;
  const waits: number[] = [];
  const messages: string[] = [];
  const clock = {
    random: () => random,
    now: () => nowMs,
    sleep: async (ms: number, signal: AbortSignal | undefined) => {
      signal?.throwIfAborted();
      waits.push(ms);
      nowMs += ms;
    },
  };
  const pass = (ms: number) => {
    nowMs += ms;
  };
  const retrying = retryPolicy({ attempts: 6, deadlineMs: 300_000, ...policy }, clock);
  return { retrying, waits, messages, onRetry: (message: string) => messages.push(message), pass };
}

const passing = (details = {}) => new RegistryError("REGISTRY_FAILED", "host answers 503", { retryable: true, status: 503, ...details });

/** Fails these many times, then succeeds. */
function failing(times: number, error: () => unknown = passing) {
  const numbers: number[] = [];
  const work = async ({ number }: Try) => {
    numbers.push(number);
    if (numbers.length <= times) throw error();
    return "done";
  };
  return { work, numbers };
}

describe("the retry policy", () => {
  it("does what succeeds once", async () => {
    const { retrying, waits } = setup();
    const { work, numbers } = failing(0);
    expect([await retrying(work), numbers, waits]).toEqual(["done", [1], []]);
  });

  it("repeats what fails for a passing reason, and says so", async () => {
    const { retrying, waits, messages, onRetry } = setup();
    const { work, numbers } = failing(2);
    expect(await retrying(work, { onRetry })).toBe("done");
    expect([numbers, waits]).toEqual([
      [1, 2, 3],
      [500, 1000],
    ]);
    expect(messages).toEqual(["host answers 503; next try in 0.5 s", "host answers 503; next try in 1.0 s"]);
  });

  it("waits up to twice as long each time, and never longer than 30 s", async () => {
    const { retrying, waits } = setup({ attempts: 10, deadlineMs: 1e9 });
    await retrying(failing(9).work);
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  });

  it("leaves the time to chance", async () => {
    const { retrying, waits } = setup({}, 0.25);
    await retrying(failing(3).work);
    expect(waits).toEqual([125, 250, 500]);
  });

  it.each([
    ["another status", new RegistryError("REGISTRY_NOT_FOUND", "host answers 404", { status: 404 })],
    ["another kind of error", new TypeError("a bug")],
  ])("does not repeat %s", async (_name, error) => {
    const { retrying, waits } = setup();
    expect(await failureOf(retrying(failing(1, () => error).work))).toBe(error);
    expect(waits).toEqual([]);
  });

  it("gives up after so many tries, with the last failure, which is not repeated by anybody else", async () => {
    const cause = new Error("socket");
    const { retrying } = setup({ attempts: 3 });
    const { work, numbers } = failing(9, () => passing({ cause, hint: "wait" }));
    const error = await failureOf(retrying(work));
    expect(error).toMatchObject({
      code: "REGISTRY_FAILED",
      message: "host answers 503 (3 tries)",
      status: 503,
      retryable: false,
      hint: "wait",
      cause,
    });
    expect(numbers).toEqual([1, 2, 3]);
  });

  it("says nothing of tries when there was to be one", async () => {
    const { retrying } = setup({ attempts: 1 });
    expect(await failureOf(retrying(failing(9).work))).toMatchObject({ message: "host answers 503", retryable: false });
  });

  it("gives up at the deadline, counted from the first failure", async () => {
    const { retrying, waits, pass } = setup({ attempts: 100, deadlineMs: 10_000 });
    pass(1e6);
    const error = await failureOf(retrying(failing(99).work));
    expect(waits).toEqual([500, 1000, 2000, 4000]);
    expect(error).toMatchObject({ message: "host answers 503 (5 tries; failures took 7.5 s of 10 s, the next would be later)" });
  });

  it("waits as long as the server asks, and a bit of chance more", async () => {
    const { retrying, waits } = setup({}, 0.5);
    await retrying(failing(2, () => passing({ retryAfterMs: 7000 })).work);
    expect(waits).toEqual([7250, 7500]);
  });

  it("fails at once when the server asks for more than the deadline", async () => {
    const { retrying, waits } = setup();
    expect(await failureOf(retrying(failing(9, () => passing({ retryAfterMs: 3_600_000 })).work))).toMatchObject({
      message: "host answers 503 (1 try; the server asks to wait 3600 s, longer than the 300 s that failures may take)",
    });
    expect(waits).toEqual([]);
  });

  it("begins anew when something moved", async () => {
    const { retrying, waits } = setup({ attempts: 3, deadlineMs: 2000 });
    let tries = 0;
    const result = await retrying(async (attempt) => {
      tries += 1;
      if (tries < 8) {
        if (tries % 2 === 0) attempt.progressed();
        throw passing();
      }
      return attempt.number;
    });
    expect(result).toBe(8);
    expect(waits).toEqual([500, 500, 1000, 500, 1000, 500, 1000]);
  });

  it("ends with the signal's reason before a try, in a wait, and when a try fails because of it", async () => {
    const reason = new Error("enough");
    const cancel = new AbortController();
    const { retrying } = setup();
    const duringTry = retrying(
      async () => {
        cancel.abort(reason);
        throw passing();
      },
      { signal: cancel.signal },
    );
    expect(await failureOf(duringTry)).toBe(reason);
    expect(await failureOf(retrying(failing(0).work, { signal: cancel.signal }))).toBe(reason);
  });

  it("really sleeps by default, and wakes when it is cancelled", async () => {
    const reason = new Error("enough");
    const cancel = new AbortController();
    const retrying = retryPolicy({ attempts: 9, deadlineMs: 1e9 }, { random: () => 1 });
    const options = { signal: cancel.signal, onRetry: () => setImmediate(() => cancel.abort(reason)) };
    expect(await failureOf(retrying(failing(9, () => passing({ retryAfterMs: 3_600_000 })).work, options))).toBe(reason);
  });
});
