import type { TransferSink } from "../../store/registry/transfer-event.ts";
import { harmless } from "../progress/terminal-text.ts";
import { transferDisplay } from "../progress/transfers.ts";
import type { CliIo } from "./cli-io.ts";

export interface Hearing {
  readonly onEvent: TransferSink;
  readonly onNote: (message: string) => void;
}

/** Shows what is moved while the work goes on. Its notes follow at the end, where no picture is in their way. */
export async function showTransfers<T>(
  io: CliIo,
  { quiet = false }: { readonly quiet?: boolean },
  work: (hearing: Hearing) => Promise<T>,
): Promise<T> {
  const display = transferDisplay(io, { quiet });
  const notes: string[] = [];
  try {
    return await work({ onEvent: display.onEvent, onNote: (message) => notes.push(message) });
  } finally {
    display.close();
    for (const note of notes) io.stderr.write(`note: ${harmless(note, { colors: false })}\n`);
  }
}
