import type { TransferEvent } from "../../store/registry/transfer-event.ts";
import { harmless } from "./terminal-text.ts";

/** One transfer that is under way. */
export interface TransferRow {
  /** "layer 1a2b3c4d5e6f" */
  readonly title: string;
  readonly direction: TransferEvent["direction"];
  readonly sizeBytes: number;
  readonly startedMs: number;
  doneBytes: number;
  /** It was said that it moves. */
  announced: boolean;
  /** Why it had to begin again; harmless. */
  retry?: string;
}

/** What is being moved now. */
export interface TransferRows {
  /** The row that an event is about: a new one for `start`. */
  of(event: TransferEvent): TransferRow;
  /** After its last event. */
  delete(event: TransferEvent): void;
  /** Oldest first. */
  all(): readonly TransferRow[];
}

export function transferRows(now: () => number): TransferRows {
  const rows = new Map<string, TransferRow>();
  return {
    of(event) {
      const { what, direction, digest, sizeBytes, doneBytes } = event;
      const known = rows.get(keyOf(event));
      if (known !== undefined) {
        known.doneBytes = doneBytes;
        return known;
      }
      const row = { title: `${what} ${shortDigest(digest)}`, direction, sizeBytes, doneBytes, announced: false, startedMs: now() };
      rows.set(keyOf(event), row);
      return row;
    },
    delete(event) {
      rows.delete(keyOf(event));
    },
    all: () => [...rows.values()],
  };
}

/** The same blob may go to two repositories at once. */
function keyOf({ direction, digest, repository }: TransferEvent): string {
  return `${direction} ${digest} ${repository}`;
}

function shortDigest(digest: string): string {
  return digest.slice("sha256:".length, "sha256:".length + 12);
}

/** Servers have a say in messages. */
export function messageOf({ message = "" }: TransferEvent): string {
  return harmless(message, { colors: false });
}
