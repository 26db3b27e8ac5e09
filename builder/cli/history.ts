import type { Image } from "../../store/images.ts";
import { formatBytes } from "../progress/measures.ts";
import { harmless } from "../progress/terminal-text.ts";
import { command } from "./command.ts";
import { formatFlags, formatJson } from "./format-flag.ts";
import { withStore } from "./open-store.ts";
import { storeFlags } from "./store-flag.ts";
import { formatAge, formatTable } from "./table.ts";

/** One step of an image's making. */
interface HistoryRow {
  readonly created: string | undefined;
  readonly createdBy: string;
  readonly comment: string;
  /** Of its layer as it is stored; 0 for a step without one. */
  readonly sizeBytes: number;
  readonly diffId: string | undefined;
}

export const history = command(
  {
    name: "history",
    operands: "IMAGE",
    summary: "Show the steps that made an image, newest first.",
    flags: {
      "no-trunc": { help: "Do not cut long commands" },
      ...formatFlags,
      ...storeFlags,
    },
    foreign: {
      human: { short: "H", note: "sizes are always printed for people" },
      platform: { value: true, missing: "of several platforms this machine's is shown" },
      quiet: { short: "q", missing: "steps have no ids; --format json has those of the layers" },
    },
    examples: ["tsbuild history app"],
  },
  { min: 1, max: 1 },
  ({ flags, operands: [name = ""] }, io) =>
    withStore(flags, io, async (store) => {
      const rows = historyOf(await store.images.open(name)).reverse();
      if (flags.format === "json") io.stdout.write(formatJson(rows));
      else {
        const nowMs = Date.now();
        const cut = (text: string): string => (flags["no-trunc"] || text.length <= 45 ? text : `${text.slice(0, 44)}…`);
        const cells = rows.map(({ created, createdBy, comment, sizeBytes }) => [
          formatAge(created, nowMs),
          cut(harmless(createdBy, { colors: false })),
          formatBytes(sizeBytes),
          harmless(comment, { colors: false }),
        ]);
        io.stdout.write(formatTable(["CREATED", "CREATED BY", "SIZE", "COMMENT"], cells));
      }
      return 0;
    }),
);

/** Oldest first. Where the history does not fit the layers, the layers come after it, as they are in the image all the same. */
function historyOf({ config, layers }: Image): HistoryRow[] {
  const steps = config.history ?? [];
  const fits = steps.filter((step) => step.empty_layer !== true).length === layers.length;
  let next = 0;
  const rows = steps.map((step): HistoryRow => {
    const layer = fits && step.empty_layer !== true ? layers[next++] : undefined;
    return {
      created: step.created,
      createdBy: step.created_by ?? "",
      comment: step.comment ?? "",
      sizeBytes: layer?.blob.size ?? 0,
      diffId: layer?.diffId,
    };
  });
  if (fits) return rows;
  return [...rows, ...layers.map(({ diffId, blob }) => ({ created: undefined, createdBy: "", comment: "", sizeBytes: blob.size, diffId }))];
}
