import type { Abortable } from "../file-bytes.ts";
import type { Endpoint } from "./endpoint.ts";

/** A number of places, given out in the order in which they were asked for. */
export interface Slots {
  /** Waits for a place; what comes back gives it up, once. Rejects with `signal.reason`. */
  take(options?: Abortable): Promise<() => void>;
}

/**
 * Places for the blobs that are moved at once with one server, counted apart for each direction: an upload may read its content from a download, never the other
 * way round, so that nobody waits for a place that he holds himself.
 */
export interface ServerSlots {
  readonly download: Slots;
  readonly upload: Slots;
}

/** The places of each server, `count` for each direction, whatever name or registry it is asked for. */
export function slotsOfServers(count: number): (server: Pick<Endpoint, "origin">) => ServerSlots {
  const known = new Map<string, ServerSlots>();
  return ({ origin }) => {
    // Not by the scheme: which one is spoken in the end is not known yet.
    const { host } = new URL(origin);
    const found = known.get(host) ?? { download: slots(count), upload: slots(count) };
    known.set(host, found);
    return found;
  };
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
