import type { EventSink } from "./event.ts";
import type { ProgressMode } from "./mode.ts";
import { wantsColors } from "./paint.ts";
import { plainRenderer } from "./plain.ts";
import { quietRenderer } from "./quiet.ts";
import { rawJsonRenderer } from "./rawjson.ts";
import type { Renderer } from "./renderer.ts";
import { canDraw, type ScreenStream, screenOf } from "./screen.ts";
import { ttyRenderer } from "./tty.ts";

interface Stream extends ScreenStream {
  write(text: string): void;
}

/** Progress goes to `stderr`, results (of "quiet") to `stdout`. */
export interface DisplayIo {
  readonly stdout: Stream;
  readonly stderr: Stream;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A running display; `close` is idempotent and leaves the terminal clean. */
export interface Display {
  readonly onEvent: EventSink;
  close(): void;
}

export function openDisplay(mode: ProgressMode, io: DisplayIo): Display {
  const renderer = rendererFor(mode, io);
  const timer = setInterval(() => renderer.tick(), renderer.tickMs);
  timer.unref();
  const close = (): void => {
    clearInterval(timer);
    process.off("exit", close);
    renderer.close();
  };
  // The cursor comes back also where something ends the process early.
  process.on("exit", close);
  return { onEvent: renderer.handle, close };
}

function rendererFor(mode: ProgressMode, { stdout, stderr, env }: DisplayIo): Renderer {
  const write = (text: string): void => stderr.write(text);
  const now = (): number => process.uptime() * 1000;
  switch (mode === "auto" ? (canDraw(stderr, env) ? "tty" : "plain") : mode) {
    case "tty":
      return ttyRenderer({ write, now }, { colors: wantsColors(stderr, env), screen: () => screenOf(stderr) });
    case "quiet":
      return quietRenderer((text) => stdout.write(text), write);
    case "rawjson":
      return rawJsonRenderer(write);
    default:
      return plainRenderer({ write, now }, { raw: stderr.isTTY !== true });
  }
}
