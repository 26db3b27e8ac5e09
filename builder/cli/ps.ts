import { join } from "node:path";
import { type ListedContainer, listContainers } from "../../store/containers.ts";
import { openMeasure } from "../../store/gc/allocated.ts";
import { formatBytes } from "../progress/measures.ts";
import { harmless } from "../progress/terminal-text.ts";
import { command } from "./command.ts";
import { formatFlags, formatJson } from "./format-flag.ts";
import { note } from "./note.ts";
import { withStore } from "./open-store.ts";
import { reportError } from "./report-error.ts";
import { storeFlags } from "./store-flag.ts";
import { formatAge, formatTable } from "./table.ts";

export const ps = command(
  {
    name: "ps",
    operands: "",
    summary: "List the containers that tsbuild run --keep NAME has kept, oldest first, with the size of what they changed.",
    flags: {
      quiet: { short: "q", help: "Print names only" },
      ...formatFlags,
      ...storeFlags,
    },
    foreign: {
      all: { short: "a", note: "all that are kept are always listed" },
      filter: { short: "f", value: true, missing: "all that are kept are always listed" },
      last: { short: "n", value: true, missing: "all that are kept are always listed" },
      latest: { short: "l", missing: "all that are kept are always listed" },
      "no-trunc": { note: "nothing is cut" },
      size: { short: "s", note: "sizes are always shown" },
    },
    examples: ["tsbuild ps", "tsbuild ps --format json"],
  },
  { min: 0, max: 0 },
  ({ flags }, io) =>
    withStore(flags, io, async ({ root }) => {
      const measure = openMeasure((message) => note(io, message));
      const containers: (ListedContainer & { readonly bytes: number })[] = [];
      let code = 0;
      const listed = await listContainers(root, ({ error }) => {
        code = reportError(error, io);
      });
      for (const one of listed) containers.push({ ...one, bytes: await measure(join(one.directory, "upper")) });
      if (flags.format === "json")
        io.stdout.write(formatJson(containers.map(({ layers: _, config: __, owners: ___, isDamaged: ____, ...shown }) => shown)));
      else if (flags.quiet) io.stdout.write(containers.map(({ name }) => `${name}\n`).join(""));
      else {
        const rows = containers.map((one) => [
          one.name,
          harmless(one.image, { colors: false }),
          harmless(one.args.join(" "), { colors: false }),
          formatAge(one.created, Date.now()),
          stateText(one),
          formatBytes(one.bytes),
        ]);
        io.stdout.write(formatTable(["NAME", "IMAGE", "COMMAND", "CREATED", "STATE", "SIZE"], rows));
      }
      return code;
    }),
);

function stateText({ state }: ListedContainer): string {
  return state.kind === "exited" ? `exited (${state.exitCode})` : state.kind;
}
