import { isSystemError, TsbuildError } from "../../runtime-addon/index.ts";
import type { Image } from "../../store/images.ts";
import { layerWaste } from "../../store/layer-waste.ts";
import { formatBytes } from "../progress/measures.ts";
import { harmless } from "../progress/terminal-text.ts";
import { command } from "./command.ts";
import { formatFlags, formatJson } from "./format-flag.ts";
import { withStore } from "./open-store.ts";
import { platformFlags, platformOfFlag } from "./platform-flag.ts";
import { storeFlags } from "./store-flag.ts";
import { formatAge, formatTable } from "./table.ts";

/** One step of an image's making. */
interface HistoryRow {
  readonly created: string | undefined;
  readonly createdBy: string;
  readonly comment: string;
  /** Of its layer as it is stored; 0 for a step without one. */
  readonly sizeBytes: number;
  /** Of its files, unpacked, those that later layers replace or remove; absent where the layers cannot be read. */
  readonly wastedBytes: number | undefined;
  readonly diffId: string | undefined;
}

export const history = command(
  {
    name: "history",
    operands: "IMAGE",
    summary:
      "Show the steps that made an image, newest first. WASTED is what later steps replaced or removed: the image carries it for nothing.",
    flags: {
      "no-trunc": { help: "Do not cut long commands" },
      ...platformFlags,
      ...formatFlags,
      ...storeFlags,
    },
    foreign: {
      human: { short: "H", note: "sizes are always printed for people" },
      quiet: { short: "q", missing: "steps have no ids; --format json has those of the layers" },
    },
    examples: ["tsbuild history app"],
  },
  { min: 1, max: 1 },
  ({ flags, operands: [name = ""] }, io) =>
    withStore(flags, io, async (store) => {
      const image = await store.images.open(name, platformOfFlag(flags));
      const wasted = await layerWaste(store, image).catch((error: unknown) => {
        const known = error instanceof TsbuildError || isSystemError(error);
        if (!known) throw error;
        io.stderr.write(`${harmless(`note: what is wasted is not known: ${error.message}`, { colors: false })}\n`);
        return [];
      });
      const rows = historyOf(image, wasted).reverse();
      if (flags.format === "json") io.stdout.write(formatJson(rows));
      else {
        const nowMs = Date.now();
        const cut = (text: string): string => (flags["no-trunc"] || text.length <= 45 ? text : `${text.slice(0, 44)}…`);
        const cells = rows.map(({ created, createdBy, comment, sizeBytes, wastedBytes }) => [
          formatAge(created, nowMs),
          cut(harmless(createdBy, { colors: false })),
          formatBytes(sizeBytes),
          wastedBytes === undefined ? "?" : formatBytes(wastedBytes),
          harmless(comment, { colors: false }),
        ]);
        io.stdout.write(formatTable(["CREATED", "CREATED BY", "SIZE", "WASTED", "COMMENT"], cells));
      }
      return 0;
    }),
);

/** Oldest first. Where the history does not fit the layers, the layers come after it, as they are in the image all the same. */
function historyOf({ config, layers }: Image, wasted: readonly number[]): HistoryRow[] {
  const steps = config.history ?? [];
  const fits = steps.filter((step) => step.empty_layer !== true).length === layers.length;
  const measured = layers.map(({ diffId, blob }, i) => ({ diffId, sizeBytes: blob.size, wastedBytes: wasted[i] }));
  const nothing = { diffId: undefined, sizeBytes: 0, wastedBytes: 0 };
  let next = 0;
  const rows = steps.map((step): HistoryRow => {
    const layer = fits && step.empty_layer !== true ? measured[next++] : undefined;
    return { created: step.created, createdBy: step.created_by ?? "", comment: step.comment ?? "", ...(layer ?? nothing) };
  });
  return fits ? rows : [...rows, ...measured.map((layer) => ({ created: undefined, createdBy: "", comment: "", ...layer }))];
}
