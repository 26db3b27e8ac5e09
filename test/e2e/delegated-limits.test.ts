import { mkdtempSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { importBusybox } from "../support/bases.ts";
import { CLI_PATH, temporaryStore, tsbuild } from "../support/cli.ts";
import { command } from "../support/command.ts";
import { goneWithin, tsbuildCgroups } from "../support/leftovers.ts";
import { needs } from "../support/needs.ts";

const store = temporaryStore();

/** Takes n MiB of memory in a process of its own, and says how many bytes those were. */
const take = (mebibytes: number) => `head -c ${mebibytes * 2 ** 20} /dev/zero | tail -c ${mebibytes * 2 ** 20} | wc -c`;

/** The same with nobody beside it who takes any: the kernel kills a second one where one asks for more before it has the first one's memory back. */
const takeAlone = (mebibytes: number) => `dd if=/dev/zero of=/dev/null bs=${mebibytes}M count=1`;

describe("limits below a delegated group of the unified hierarchy", needs("sandbox", "delegatedGroup"), () => {
  beforeAll(() => importBusybox({ store }));

  const run = (...args: string[]) => tsbuild(["run", "--rm", "--network", "host", ...args], { store });

  it.each<[name: string, flags: string[], script: string, stdout: RegExp]>([
    ["memory: who takes more is killed", ["--memory", "32m", "--memory-swap", "32m"], `${takeAlone(64)}; echo after`, /(?:^|\n)after\n$/],
    ["memory: who stays below is not", ["--memory", "256m"], take(16), /^16777216\n$/],
    ["pids", ["--pids-limit", "5"], "for i in 1 2 3 4; do sleep 100 & done; echo four; (true) & echo five", /^four\n$/],
    ["all at once", ["--memory", "64m", "--cpus", "1.5", "--cpu-shares", "512", "--pids-limit", "20"], "echo in", /^in\n$/],
  ])("%s", async (_name, flags, script, stdout) => {
    const result = await run(...flags, "busybox", "sh", "-c", script);
    expect(result.stdout, result.stderr).toMatch(stdout);
  });

  it("are told of where a command runs into them", async () => {
    const { stderr } = await run("--memory", "32m", "--memory-swap", "32m", "busybox", "sh", "-c", takeAlone(64));
    expect(stderr).toMatch(/^note: the container ran out of memory \(limit 32\.0 MiB, peak 3\d\.\d MiB\): raise --memory$/m);
  });

  it("are set below the group of a process that is alone in it, which moves aside", async () => {
    const [, own = "/"] = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8")) ?? [];
    const alone = mkdtempSync(join("/sys/fs/cgroup", own, "../alone-"));
    try {
      const words = [process.execPath, "--", CLI_PATH, "run", "--rm", "--store", store, "--network", "host", "--pids-limit", "20"];
      const script = 'echo $$ > "$0/cgroup.procs"; exec "$@"';
      const result = await command(["sh", "-c", script, alone, ...words, "busybox", "echo", "in"]);
      expect([result.code, result.stdout], result.stderr).toEqual([0, "in\n"]);
      const groups = readdirSync(alone, { withFileTypes: true }).filter((entry) => entry.isDirectory());
      expect(groups.map(({ name }) => name)).toEqual([expect.stringMatching(/^tsbuild-leaf-/)]);
    } finally {
      for (const entry of readdirSync(alone, { withFileTypes: true })) if (entry.isDirectory()) rmdirSync(join(alone, entry.name));
      rmdirSync(alone);
    }
  });

  it("leave no group behind", async () => {
    expect(await goneWithin(20_000, tsbuildCgroups)).toEqual([]);
  });
});
