import { release } from "node:os";
import { probeHost } from "../../runtime-addon/index.ts";
import { machinePlatform, platformText } from "../../store/platform.ts";
import { version } from "../version.ts";
import { command } from "./command.ts";
import { formatFlags, formatJson } from "./format-flag.ts";
import { withStore } from "./open-store.ts";
import { storeFlags } from "./store-flag.ts";
import { formatTable } from "./table.ts";

export const info = command(
  {
    name: "info",
    operands: "",
    summary: "Show what this machine allows, found out by trying it in the store's directory, with the remedy for what does not work.",
    flags: { ...formatFlags, ...storeFlags },
    examples: ["tsbuild info", "tsbuild info --format json"],
  },
  { min: 0, max: 0 },
  ({ flags }, io) =>
    withStore(flags, io, async (store) => {
      const about = {
        version,
        node: process.version,
        platform: platformText(machinePlatform()),
        kernel: release(),
        uid: io.uid,
        store: store.root,
      };
      const probes = await probeHost(await store.temp("probe"));
      if (flags.format === "json") {
        io.stdout.write(formatJson({ ...about, probes }));
        return 0;
      }
      io.stdout.write(
        `tsbuild ${about.version}, Node ${about.node}, ${about.platform}, kernel ${about.kernel}, user ${about.uid}\nstore ${about.store}\n\n`,
      );
      io.stdout.write(
        formatTable(
          ["WHAT", "WORKS", "DETAIL"],
          probes.map(({ name, ok, detail }) => [name, ok ? "yes" : "no", detail]),
        ),
      );
      const remedies = probes.filter(({ remedy }) => remedy !== undefined);
      if (remedies.length > 0) io.stdout.write(`\n${remedies.map(({ name, remedy }) => `${name}: ${remedy}\n`).join("")}`);
      return 0;
    }),
);
