import type { TransferEvent } from "../../store/registry/transfer-event.ts";
import { livePicture } from "./live-picture.ts";
import { formatBytes, formatDuration } from "./measures.ts";
import { type Paint, paint } from "./paint.ts";
import type { RendererIo } from "./renderer.ts";
import type { Screen } from "./screen.ts";
import { clip } from "./terminal-text.ts";
import type { TransferRenderer } from "./transfer-renderer.ts";
import { messageOf, type TransferRow, type TransferRows, transferRows } from "./transfer-rows.ts";

/** At most ten pictures a second. */
const tickMs = 100;
/** Bars shown at once: more move no eye. */
const maxBars = 10;
const barColumns = 20;

/** A bar for each blob that is under way, at the bottom of a terminal; layers that have ended stand above as one line each. */
export function transferBars(
  { write, now }: RendererIo,
  options: { readonly colors: boolean; readonly screen: () => Screen },
): TransferRenderer {
  const style = paint(options.colors);
  const picture = livePicture(write, () => options.screen().columns);
  const rows = transferRows(now);

  return {
    tickMs,
    handle(event) {
      const line = transferEnd(event, rows, now(), style);
      if (line !== undefined) picture.say(clip(line, options.screen().columns - 1));
    },
    say: (line) => picture.say(line),
    tick() {
      picture.draw(transferBarLines(rows.all(), options.screen(), style));
    },
    close: () => picture.close(),
  };
}

/** Keeps the rows as an event says; answers the line of a transfer that has ended, where it is worth one. */
export function transferEnd(event: TransferEvent, rows: TransferRows, nowMs: number, style: Paint): string | undefined {
  const row = rows.of(event);
  switch (event.state) {
    case "start":
      return undefined;
    case "progress":
      delete row.retry;
      return undefined;
    case "retry":
      row.retry = messageOf(event);
      return undefined;
  }
  rows.delete(event);
  const line = (mark: string, result: string) => `${mark} ${row.title} ${style.dim(result)}`;
  if (event.state === "failed") return line(style.red("✗"), "failed");
  // Configs and manifests are small talk.
  if (event.what !== "layer") return undefined;
  if (event.state === "present") return line(style.green("="), "is there already");
  if (event.state === "mounted") return line(style.green("="), "mounted from another repository");
  return line(style.green("✓"), `${formatBytes(row.sizeBytes)} ${formatDuration(nowMs - row.startedMs)}`);
}

/** A bar for each. */
export function transferBarLines(rows: readonly TransferRow[], { columns, rows: screenRows }: Screen, style: Paint): string[] {
  // One row so that the cursor's own line never scrolls the picture, one for what is not shown.
  const visible = rows.slice(0, Math.max(1, Math.min(maxBars, screenRows - 2)));
  const lines = visible.map((row) => clip(barOf(row, style), columns - 1));
  return visible.length === rows.length ? lines : [...lines, style.dim(clip(`  and ${rows.length - visible.length} more`, columns - 1))];
}

function barOf({ title, direction, doneBytes, sizeBytes, retry }: TransferRow, style: Paint): string {
  const share = sizeBytes === 0 ? 1 : Math.min(1, doneBytes / sizeBytes);
  const filled = Math.round(share * barColumns);
  const bar = `${"█".repeat(filled)}${"░".repeat(barColumns - filled)}`;
  const size = `${formatBytes(doneBytes)}/${formatBytes(sizeBytes)}`;
  return `${style.cyan(direction === "pull" ? "↓" : "↑")} ${title} ${bar} ${size}${retry === undefined ? "" : style.yellow(` trying again: ${retry}`)}`;
}
