import type { TransferSink } from "../../store/registry/transfer-event.ts";
import { transferDisplay } from "../progress/transfers.ts";
import type { CliIo } from "./cli-io.ts";

export interface Hearing {
  readonly onEvent: TransferSink;
  readonly onNote: (message: string) => void;
}

/** Shows what is moved while the work goes on, and its notes. */
export async function showTransfers<T>(
  io: CliIo,
  { quiet = false }: { readonly quiet?: boolean },
  work: (hearing: Hearing) => Promise<T>,
): Promise<T> {
  const display = transferDisplay(io, { quiet });
  try {
    return await work(display);
  } finally {
    display.close();
  }
}
