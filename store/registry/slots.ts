import type { Abortable } from "../file-bytes.ts";

/** A number of places, given out in the order in which they were asked for. */
export interface Slots {
  /** Waits for a place; what comes back gives it up, once. Rejects with `signal.reason`. */
  take(options?: Abortable): Promise<() => void>;
}

export function slots(count: number): Slots {
  let free = count;
  const waiting = new Set<() => void>();

  const release = () => {
    const [next] = waiting;
    if (next === undefined) {
      free += 1;
      return;
    }
    waiting.delete(next);
    next();
  };
  const place = () => {
    let held = true;
    return () => {
      if (held) release();
      held = false;
    };
  };

  return {
    async take({ signal } = {}) {
      signal?.throwIfAborted();
      if (free > 0) {
        free -= 1;
        return place();
      }
      return new Promise((resolve, reject) => {
        const admit = () => {
          signal?.removeEventListener("abort", leave);
          resolve(place());
        };
        const leave = () => {
          waiting.delete(admit);
          reject(signal?.reason);
        };
        waiting.add(admit);
        signal?.addEventListener("abort", leave, { once: true });
      });
    },
  };
}
