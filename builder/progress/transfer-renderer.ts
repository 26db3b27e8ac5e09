import type { TransferEvent } from "../../store/registry/transfer-event.ts";

/** Shows transfers. Events come as they happen, ticks about every `tickMs`; nothing comes after `close`. */
export interface TransferRenderer {
  readonly tickMs: number;
  handle(event: TransferEvent): void;
  /** A harmless line that stays. */
  say(line: string): void;
  tick(): void;
  /** Leaves the terminal as it was found. May be called twice. */
  close(): void;
}
