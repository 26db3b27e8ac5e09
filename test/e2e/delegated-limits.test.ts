import { beforeAll, describe, expect, it } from "vitest";
import { importBusybox } from "../support/bases.ts";
import { temporaryStore, tsbuild } from "../support/cli.ts";
import { goneWithin, tsbuildCgroups } from "../support/leftovers.ts";
import { needs } from "../support/needs.ts";

const store = temporaryStore();

/** Takes n MiB of memory in a process of its own, and says how many bytes those were. */
const take = (mebibytes: number) => `head -c ${mebibytes * 2 ** 20} /dev/zero | tail -c ${mebibytes * 2 ** 20} | wc -c`;

describe("limits below a delegated group of the unified hierarchy", needs("sandbox", "delegatedGroup"), () => {
  beforeAll(() => importBusybox({ store }));

  const run = (...args: string[]) => tsbuild(["run", "--rm", "--network", "host", ...args], { store });

  it.each<[name: string, flags: string[], script: string, stdout: RegExp]>([
    ["memory: who takes more is killed", ["--memory", "32m", "--memory-swap", "32m"], `${take(64)}; echo after`, /(?:^|\n)after\n$/],
    ["memory: who stays below is not", ["--memory", "256m"], take(16), /^16777216\n$/],
    ["pids", ["--pids-limit", "5"], "for i in 1 2 3 4; do sleep 3 & done; echo four; (true) & echo five", /^four\n$/],
    ["all at once", ["--memory", "64m", "--cpus", "1.5", "--cpu-shares", "512", "--pids-limit", "20"], "echo in", /^in\n$/],
  ])("%s", async (_name, flags, script, stdout) => {
    const result = await run(...flags, "busybox", "sh", "-c", script);
    expect(result.stdout, result.stderr).toMatch(stdout);
  });

  it("leave no group behind", async () => {
    expect(await goneWithin(20_000, tsbuildCgroups)).toEqual([]);
  });
});
