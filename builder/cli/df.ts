import { formatBytes } from "../progress/measures.ts";
import { command } from "./command.ts";
import { formatFlags, formatJson } from "./format-flag.ts";
import { note } from "./note.ts";
import { withStore } from "./open-store.ts";
import { storeFlags } from "./store-flag.ts";
import { formatTable } from "./table.ts";

export const df = command(
  {
    name: "df",
    operands: "",
    summary:
      "Show what takes the room of the store, in bytes on its file system as du counts them, and what tsbuild prune --all would give back.",
    flags: { ...formatFlags, ...storeFlags },
    foreign: {
      filter: { value: true, missing: "all kinds are always listed" },
      verbose: { short: "v", missing: "--format json has the exact numbers; tsbuild images lists the images" },
    },
    examples: ["tsbuild df", "tsbuild df --format json"],
  },
  { min: 0, max: 0 },
  ({ flags }, io) =>
    withStore(flags, io, async (store) => {
      const { storeUsage } = await import("../../store/gc/usage.ts");
      const kinds = await storeUsage(store, (message) => note(io, message));
      const bytes = kinds.reduce((sum, kind) => sum + kind.bytes, 0);
      const reclaimableBytes = kinds.reduce((sum, kind) => sum + kind.reclaimableBytes, 0);
      if (flags.format === "json") {
        io.stdout.write(formatJson({ root: store.root, kinds, bytes, reclaimableBytes }));
        return 0;
      }
      const rows = kinds.map(({ kind, count, bytes: size, reclaimableBytes: less }) => [
        kind,
        kind === "other" ? "" : String(count),
        formatBytes(size),
        formatBytes(less),
      ]);
      const total = ["total", "", formatBytes(bytes), formatBytes(reclaimableBytes)];
      io.stdout.write(formatTable(["KIND", "COUNT", "SIZE", "RECLAIMABLE"], [...rows, total]));
      return 0;
    }),
);
