import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { paced, progressBytes } from "../../../store/registry/pace.ts";
import { receivedBody } from "../../../store/registry/received-body.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A body that is read at a pace of 64 KiB a second; what was read, and how it ended. */
function reading(pauseMs = 0) {
  let left = false;
  const body = receivedBody({
    resume: () => undefined,
    leave: () => {
      left = true;
    },
  });
  let readBytes = 0;
  let end = "open";
  const done = (async () => {
    for await (const chunk of paced(body.bytes, 1000, (bytes, waitedMs) => new Error(`${bytes} bytes in ${waitedMs} ms`))) {
      readBytes += chunk.length;
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  })().then(
    () => {
      end = "done";
    },
    (error: Error) => {
      end = error.message;
    },
  );
  const push = (count: number) => body.push(new Uint8Array(count));
  return { body, push, done, state: () => ({ readBytes, end, left }) };
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe("a paced body", () => {
  it("goes on for as long as enough comes", async () => {
    const { body, push, state } = reading();
    for (let seconds = 0; seconds < 100; seconds += 1) {
      await pass(990);
      push(progressBytes);
    }
    await pass(990);
    push(1);
    body.end();
    await pass(0);
    expect(state()).toEqual({ readBytes: 100 * progressBytes + 1, end: "done", left: false });
  });

  it.each<[name: string, chunkBytes: number, everyMs: number, readBytes: number, end: string]>([
    ["nothing", 0, 5000, 0, "0 bytes in 1000 ms"],
    ["one byte now and then", 1, 300, 3, "3 bytes in 1000 ms"],
    ["a little less than enough", 16_000, 250, 48_000, "48000 bytes in 1000 ms"],
  ])("ends when %s comes, and its connection with it", async (_name, chunkBytes, everyMs, readBytes, end) => {
    const { push, state } = reading();
    for (let at = everyMs; at <= 5000; at += everyMs) {
      await pass(everyMs);
      push(chunkBytes);
    }
    expect(state()).toEqual({ readBytes, end, left: true });
  });

  it("is measured anew behind each 64 KiB", async () => {
    const { push, state } = reading();
    await pass(900);
    push(progressBytes);
    await pass(900);
    push(1);
    await pass(99);
    expect(state().end).toBe("open");
    await pass(1);
    expect(state().end).toBe("1 bytes in 1000 ms");
  });

  it("is not blamed for the time that its reader takes", async () => {
    const { body, push, state } = reading(10_000);
    for (let i = 0; i < 5; i += 1) push(100);
    await pass(45_000);
    push(100);
    body.end();
    await pass(60_000);
    expect(state()).toEqual({ readBytes: 600, end: "done", left: false });
  });

  it("passes on its own failure", async () => {
    const { body, push, state } = reading();
    push(10);
    body.fail(new Error("reset"));
    await pass(2000);
    expect(state()).toEqual({ readBytes: 10, end: "reset", left: false });
  });
});
