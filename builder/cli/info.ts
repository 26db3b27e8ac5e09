import { mkdtemp, rm } from "node:fs/promises";
import { release, tmpdir } from "node:os";
import { join } from "node:path";
import { type Probe, probeHost, TsbuildError } from "../../runtime-addon/index.ts";
import { nameSystemError } from "../../store/name-system-error.ts";
import { machinePlatform, platformText } from "../../store/platform.ts";
import type { Store } from "../../store/store.ts";
import { version } from "../version.ts";
import { command } from "./command.ts";
import { formatFlags, formatJson } from "./format-flag.ts";
import { withStoreMade } from "./open-store.ts";
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
    withStoreMade(flags, io, async (store) => {
      const about = {
        version,
        node: process.version,
        platform: platformText(machinePlatform()),
        kernel: release(),
        uid: io.uid,
        store: store.root,
      };
      const probes = await probeIn(store);
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
          probes.map(({ name, ok, needed, detail }) => [name, ok ? "yes" : needed === false ? "not needed" : "no", detail]),
        ),
      );
      const remedies = probes.filter(({ remedy }) => remedy !== undefined);
      if (remedies.length > 0) io.stdout.write(`\n${remedies.map(({ name, remedy }) => `${name}: ${remedy}\n`).join("")}`);
      return 0;
    }),
);

/** In the store's directory; where nothing can be written there, that is the first thing to say, and the rest is tried in the temp directory. */
async function probeIn(store: Store): Promise<Probe[]> {
  try {
    return await probeHost(await store.temp("probe"));
  } catch (error) {
    const named = nameSystemError(error, store.root);
    if (named === error || !(named instanceof TsbuildError)) throw error;
    const { message: detail, hint } = named;
    const directory = await mkdtemp(join(tmpdir(), "tsbuild-probe-"));
    try {
      return [{ name: "store", ok: false, detail, ...(hint !== undefined && { remedy: hint }) }, ...(await probeHost(directory))];
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }
}
