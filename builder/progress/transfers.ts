import type { TransferSink } from "../../store/registry/transfer-event.ts";
import type { DisplayIo } from "./display.ts";
import { wantsColors } from "./paint.ts";
import { canDraw, screenOf } from "./screen.ts";
import { harmless } from "./terminal-text.ts";
import { transferBars } from "./transfer-bars.ts";
import { transferLines } from "./transfer-lines.ts";
import type { TransferRenderer } from "./transfer-renderer.ts";

/** A running display of transfers; `close` is idempotent and leaves the terminal clean. What comes after it is not shown. */
export interface TransferDisplay {
  readonly onEvent: TransferSink;
  /** Shown as it comes, quiet or not. */
  readonly onNote: (message: string) => void;
  close(): void;
}

/** Shows what goes between registries and the store on standard error: bars on a terminal, lines elsewhere, nothing where `quiet`. */
export function transferDisplay(
  io: Pick<DisplayIo, "stderr" | "env">,
  { quiet = false }: { readonly quiet?: boolean } = {},
): TransferDisplay {
  const noteOf = (message: string): string => `note: ${harmless(message, { colors: false })}`;
  const write = (message: string): void => io.stderr.write(`${noteOf(message)}\n`);
  if (quiet) return { onEvent: () => undefined, onNote: write, close: () => undefined };
  const renderer = rendererFor(io);
  const timer = setInterval(() => renderer.tick(), renderer.tickMs);
  timer.unref();
  let open = true;
  const close = (): void => {
    open = false;
    clearInterval(timer);
    process.off("exit", close);
    renderer.close();
  };
  // The cursor comes back also where something ends the process early.
  process.on("exit", close);
  return {
    onEvent(event) {
      if (open) renderer.handle(event);
    },
    onNote(message) {
      if (open) renderer.say(noteOf(message));
      else write(message);
    },
    close,
  };
}

function rendererFor({ stderr, env }: Pick<DisplayIo, "stderr" | "env">): TransferRenderer {
  const io = { write: (text: string): void => stderr.write(text), now: (): number => performance.now() };
  if (!canDraw(stderr, env)) return transferLines(io);
  return transferBars(io, { colors: wantsColors(stderr, env), screen: () => screenOf(stderr) });
}
