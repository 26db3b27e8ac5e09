const intervalMs = 100;

/** Reports bytes at most ten times a second; `end` always reports. */
export interface ProgressMeter {
  at(doneBytes: number): void;
  end(doneBytes: number): void;
}

export function progressMeter(
  report: ((doneBytes: number) => void) | undefined,
  now: () => number = () => performance.now(),
): ProgressMeter {
  let last = Number.NEGATIVE_INFINITY;
  return {
    at(doneBytes) {
      const time = now();
      if (report === undefined || time - last < intervalMs) return;
      last = time;
      report(doneBytes);
    },
    end(doneBytes) {
      report?.(doneBytes);
    },
  };
}
