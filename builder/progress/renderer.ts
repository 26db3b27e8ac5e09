import type { BuildEvent } from "./event.ts";

/** Shows a build. Events come as they happen, ticks about every `tickMs`; nothing comes after `close`. */
export interface Renderer {
  readonly tickMs: number;
  handle(event: BuildEvent): void;
  tick(): void;
  /** Leaves the terminal as it was found. May be called twice. */
  close(): void;
}

/** Where a renderer writes and what time it is (milliseconds, any origin). */
export interface RendererIo {
  readonly write: (text: string) => void;
  readonly now: () => number;
}
