import { formatBytes, formatDuration, formatSeconds } from "./measures.ts";
import type { RendererIo } from "./renderer.ts";
import type { TransferRenderer } from "./transfer-renderer.ts";
import { messageOf, type TransferRow, transferRows } from "./transfer-rows.ts";

const tickMs = 1000;
/** No longer silence than this: CI systems end jobs that print nothing. */
const longestSilenceMs = 15_000;
/** Smaller ones are through before a line about their beginning would tell anything. */
const largeBytes = 10_000_000;

const doing = { pull: "pulling", push: "pushing" } as const;
const did = { pull: "pulled", push: "pushed" } as const;

/** Lines for logs: one when a large blob begins to move, one when a layer has ended, one for each retry, and a sign of life in 15 s. */
export function transferLines({ write, now }: RendererIo): TransferRenderer {
  const rows = transferRows(now);
  const startedMs = now();
  let lastPrintMs = startedMs;

  const print = (line: string): void => {
    lastPrintMs = now();
    write(`${line}\n`);
  };

  return {
    tickMs,
    handle(event) {
      const row = rows.of(event);
      const isLayer = event.what === "layer";
      switch (event.state) {
        case "start":
          return;
        case "progress":
          // Not before: much of what is begun turns out to be there already.
          if (!row.announced && event.sizeBytes >= largeBytes)
            print(`${doing[event.direction]} ${row.title}, ${formatBytes(row.sizeBytes)}`);
          row.announced = true;
          return;
        case "retry":
          print(`${row.title}: trying again: ${messageOf(event)}`);
          return;
        case "failed":
          print(`${row.title} failed`);
          break;
        case "done":
          if (isLayer)
            print(`${did[event.direction]} ${row.title}, ${formatBytes(row.sizeBytes)} in ${formatDuration(now() - row.startedMs)}`);
          break;
        case "present":
          if (isLayer) print(`${row.title} is there already`);
          break;
        case "mounted":
          if (isLayer) print(`${row.title} mounted from another repository`);
          break;
      }
      rows.delete(event);
    },
    say: print,
    tick() {
      // A tick may come late by its own period.
      if (now() - lastPrintMs <= longestSilenceMs - tickMs) return;
      const moving = rows.all();
      for (const row of moving) print(progressLine(row));
      if (moving.length === 0) print(`… ${formatSeconds(now() - startedMs)}`);
    },
    close() {},
  };
}

function progressLine({ direction, title, doneBytes, sizeBytes }: TransferRow): string {
  return `${doing[direction]} ${title}, ${formatBytes(doneBytes)} of ${formatBytes(sizeBytes)}`;
}
