import { describe, expect, it, vi } from "vitest";
import { isSignal, signalNumber, stopper } from "../../../builder/sandbox/stop.ts";

describe("signals", () => {
  it.each<[text: string, number: number]>([
    ["SIGTERM", 15],
    ["quit", 3],
    ["9", 9],
    ["SIGRTMIN+3", 37],
    ["RTMIN", 34],
    ["RTMAX-1", 63],
    ["CLD", 17],
  ])("%s is %i", (text, number) => {
    expect(signalNumber(text)).toBe(number);
  });

  it.each(["SIGNOTHING", "0", "65", ""])('"%s" is none', (text) => {
    expect(isSignal(text)).toBe(false);
  });
});

describe("stopping a container", () => {
  it("asks with the stop signal, and kills when the time is over", () => {
    vi.useFakeTimers();
    try {
      const sent: number[] = [];
      const stopping = stopper({ signal: "SIGQUIT", timeoutSeconds: 10 }, (signal) => sent.push(signal));
      stopping.kill("SIGHUP");
      stopping.stop();
      vi.advanceTimersByTime(9999);
      expect(sent).toEqual([1, 3]);
      stopping.stop();
      vi.advanceTimersByTime(1);
      expect(sent).toEqual([1, 3, 3, 9]);
      stopping.close();
    } finally {
      vi.useRealTimers();
    }
  });

  it("waits for ever where it shall, and asks with SIGTERM where an image names no signal that there is", () => {
    const sent: number[] = [];
    stopper({ signal: "SIGWHAT", timeoutSeconds: -1 }, (signal) => sent.push(signal)).stop();
    expect(sent).toEqual([15]);
  });
});
