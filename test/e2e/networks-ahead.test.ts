import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { findPasta } from "../../runtime-addon/index.ts";
import { busyboxTar, importBusybox } from "../support/bases.ts";
import { CLI_PATH, temporaryStore } from "../support/cli.ts";
import { command } from "../support/command.ts";
import { contextDirectory } from "../support/context.ts";
import { descendants, type Process } from "../support/descendants.ts";
import { goneWithin, mountPoints } from "../support/leftovers.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const store = temporaryStore();

beforeAll(() => importBusybox({ store }));

/** The command of a build of RUN steps. */
async function building(runs: readonly string[], options: readonly string[] = []): Promise<readonly string[]> {
  const Dockerfile = `FROM busybox\n${runs.map((run) => `RUN ${run}\n`).join("")}`;
  return [process.execPath, "--", CLI_PATH, "build", "--no-cache", ...options, await contextDirectory({ Dockerfile })];
}

function start(argv: readonly string[], root = store) {
  const [program = "", ...args] = argv;
  const child = spawn(program, args, { env: { ...process.env, TSBUILD_ROOT: root }, stdio: ["ignore", "ignore", "pipe"] });
  const state = { output: "" };
  child.stderr.on("data", (chunk) => (state.output += String(chunk)));
  const all = () => descendants(child.pid ?? 0);
  const pastas = async (): Promise<readonly Process[]> => (await all()).filter(({ args }) => args.includes("--netns-only"));
  return { child, state, closed: once(child, "close"), all, pastas };
}

const left = (processes: readonly Process[]) => () => processes.filter(({ pid }) => existsSync(`/proc/${pid}`)).map(({ args }) => args);

describe("a network made ahead", needs("sandbox", "isolatedNetwork"), () => {
  // What is killed is not the build: a command of it, which the build waits for.
  it.each<[how: string, run: string, end: NodeJS.Signals, of: "build" | "command", code: number | null]>([
    ["succeeds", "sleep 100 || true", "SIGKILL", "command", 0],
    ["fails", "sleep 100", "SIGKILL", "command", 1],
    ["is cancelled", "sleep 100", "SIGINT", "build", 130],
    ["is killed", "sleep 100", "SIGKILL", "build", null],
  ])("is there for the RUN steps that follow, and none is left when the build %s", async (_how, run, end, of, code) => {
    const mounts = mountPoints();
    const runs = [`echo up; ${run}`, "true", "--network=none true", "true", "true"];
    const { child, state, closed, all, pastas } = start(await building(runs, ["--network", "isolated", "--progress", "plain"]));
    await expect.poll(() => state.output, { timeout: 20_000 }).toMatch(/ up$/m);
    // Its own, and two more.
    await expect.poll(async () => (await pastas()).length, { timeout: 20_000 }).toBe(3);
    const started = await all();
    const command = started.find(({ args }) => args === "sleep 100");
    process.kill((of === "build" ? child.pid : command?.pid) ?? 0, end);
    expect(await closed).toEqual([code, code === null ? end : null]);
    expect(await goneWithin(of === "build" && code === null ? 10_000 : 0, left(started))).toEqual([]);
    expect(mountPoints()).toEqual(mounts);
  });

  it("whose pasta has died is given to nobody: the step has a fresh one", async () => {
    const runs = ["echo up; sleep 100 || true", 'test "$(grep -c : /proc/net/dev)" = 2; echo still up; sleep 100 || true'];
    const { child, state, closed, all, pastas } = start(await building(runs, ["--network", "isolated", "--progress", "plain"]));
    await expect.poll(() => state.output, { timeout: 20_000 }).toMatch(/ up$/m);
    await expect.poll(async () => (await pastas()).length, { timeout: 20_000 }).toBe(2);
    const [own, ahead] = await pastas();
    const before = await all();
    process.kill(ahead?.pid ?? 0, "SIGKILL");
    // With it goes what kept it, and the build learns of that.
    await expect
      .poll(async () => (await all()).filter(({ args }) => args === "tsb-init").length, { timeout: 20_000 })
      .toBeLessThan(before.filter(({ args }) => args === "tsb-init").length);
    process.kill(before.find(({ args }) => args === "sleep 100")?.pid ?? 0, "SIGKILL");
    await expect.poll(() => state.output, { timeout: 20_000 }).toMatch(/ still up$/m);
    // Of the first step's network the build does not wait for the end.
    await expect.poll(async () => (await pastas()).map(({ pid }) => pid), { timeout: 20_000 }).toHaveLength(1);
    const [fresh] = await pastas();
    expect([own?.pid, ahead?.pid]).not.toContain(fresh?.pid);
    child.kill("SIGINT");
    expect(await closed).toEqual([130, null]);
  });
});

describe("where a user may have few namespaces", needs("userNamespaces", "isolatedNetwork"), () => {
  // A network takes two, and those of the step before may not have ended.
  it.each([
    ["default", 5],
    ["isolated", 5],
    ["isolated", 8],
  ] as const)("each step of a build with --network %s has a network of its own: %d", async (mode, most) => {
    const root = temporaryStore();
    const script = `echo ${most} > /proc/sys/user/max_net_namespaces; "$@"`;
    const options = ["--network", mode, "--progress", "rawjson"];
    const build = await building(
      Array.from({ length: 8 }, (_, i) => `true ${i}`),
      options,
    );
    const all = `${process.execPath} -- ${CLI_PATH} import --change 'ENV PATH=/bin' "$BASE" busybox >/dev/null && ${script}`;
    const { code, stdout, stderr } = await command(["unshare", "-U", "-r", "-m", "sh", "-c", all, "sh", ...build], {
      env: { ...process.env, TSBUILD_ROOT: root, BASE: busyboxTar() },
    });
    expect(code, stderr).toBe(0);
    expect((stdout + stderr).match(/"network":"\w+"/g)).toEqual(Array(8).fill('"network":"isolated"'));
    expect(existsSync(join(root, "v1/network"))).toBe(false);
  });
});

describe("a pasta that hangs", needs("root", "privateMounts", "isolatedNetwork"), () => {
  /** Before a build: `script` is what is run as pasta, with the real one as $PASTA, in a directory of its own as $PLACE. */
  function withPasta(script: string, build: readonly string[]): readonly string[] {
    const place = temporaryDirectory("pasta");
    const program = findPasta() ?? "";
    copyFileSync(program, join(place, "pasta"));
    const text = `#!/bin/sh\nPLACE=${place} PASTA=${place}/pasta\n${script}\n`;
    writeFileSync(join(place, "script"), text, { mode: 0o755 });
    return ["unshare", "--mount", "sh", "-c", `mount --bind ${place}/script ${program} && exec "$@"`, "sh", ...build];
  }
  const firstHangs = 'mkdir "$PLACE/once" 2>/dev/null && exec sleep 1000; exec "$PASTA" "$@"';
  const othersHang = 'mkdir "$PLACE/once" 2>/dev/null && exec "$PASTA" "$@"; exec sleep 1000';

  it("at its first start is started once more", async () => {
    const { state, closed } = start(withPasta(firstHangs, await building(["true"], ["--network", "isolated"])));
    expect(await closed, state.output).toEqual([0, null]);
  });

  it.each([
    ["default", 0, /^note: .*the network is the host's, .*: connecting the network: \S+pasta was not ready in time$/m],
    ["isolated", 3, /connecting the network: \S+pasta was not ready in time \[NETWORK_REFUSED\]$/m],
  ] as const)("at every start leaves --network %s without one of its own, and is not remembered", async (mode, code, told) => {
    const { state, closed } = start(withPasta("exec sleep 1000", await building(["true"], ["--network", mode, "--progress", "plain"])));
    expect(await closed, state.output).toEqual([code, null]);
    expect(state.output).toMatch(told);
    expect(existsSync(join(store, "v1/network"))).toBe(false);
  });

  it.each<[how: string, end: NodeJS.Signals, of: "build" | "command", code: number]>([
    ["is cancelled", "SIGINT", "build", 130],
    ["fails", "SIGKILL", "command", 1],
  ])("while a network is made ahead holds up nothing when the build %s", async (_how, end, of, code) => {
    const build = await building(["echo up; sleep 100", "true", "true"], ["--network", "isolated", "--progress", "plain"]);
    const { child, state, closed, all } = start(withPasta(othersHang, build));
    await expect.poll(() => state.output, { timeout: 20_000 }).toMatch(/ up$/m);
    const hanging = async () => (await all()).filter(({ args }) => args === "sleep 1000");
    await expect.poll(async () => (await hanging()).length, { timeout: 20_000, interval: 5 }).toBe(2);
    const started = await all();
    process.kill((of === "build" ? child.pid : started.find(({ args }) => args === "sleep 100")?.pid) ?? 0, end);
    expect(await closed).toEqual([code, null]);
    expect(await goneWithin(0, left(started))).toEqual([]);
  });
});
