import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { beforeAll, describe, expect, it } from "vitest";
import { importBusybox } from "../support/bases.ts";
import { CLI_PATH, mustTsbuild, temporaryStore, tsbuild } from "../support/cli.ts";
import { contextDirectory } from "../support/context.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const store = temporaryStore();

beforeAll(() => importBusybox({ store }));

/** Resolves when a text has come; what follows is read and forgotten. */
function saying(stream: Readable, text: string): Promise<void> {
  let said = "";
  return new Promise((resolve, reject) => {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      said += chunk;
      if (said.includes(text)) resolve();
    });
    stream.once("end", () => reject(new Error(`it ended without ${text}: ${said}`)));
  });
}

function shell(...args: string[]) {
  return tsbuild(["shell", ...args], { store });
}

const failing = [
  "FROM busybox AS first",
  "RUN echo base > /base",
  "FROM first",
  "ENV WHO=me",
  "WORKDIR /srv",
  "USER 7:8",
  "USER 0",
  "RUN --mount=type=tmpfs,target=/t --mount=type=bind,target=/ctx --mount=type=cache,target=/c --network=none echo left > /left; rm /base; echo c > /c/x; exit 4",
  "",
].join("\n");

describe("tsbuild shell", needs("sandbox"), () => {
  it("opens the step that failed, as it failed, and throws away what is changed in it", async () => {
    const context = contextDirectory({ Dockerfile: failing, a: "of the context\n" });
    const env = { HTTP_PROXY: "http://user:password@proxy.example" };
    const built = await tsbuild(["--progress", "plain", context], { store, env });
    expect(built.code).toBe(1);
    expect(built.stderr).toContain("exit code 4 [STEP_FAILED]");
    expect(built.stderr).toContain("  hint: tsbuild shell opens a shell in the step as it failed\n");

    const look =
      "cat /left /ctx/a /c/x; ls /base; echo $WHO $PWD $HTTP_PROXY; mount | grep -c ' /t '; tail -n +3 /proc/net/dev | wc -l; touch /new /ctx/new";
    const seen = await shell("-c", look);
    expect(seen.stdout).toBe("left\nof the context\nc\nme /srv\n1\n1\n");
    expect(seen.stderr).toMatch(
      /^note: \[[^\n]*, as it failed; what is changed here is thrown away, but for what is in cache mounts\nls: \/base: No such file or directory\n/,
    );
    expect((await shell("-c", "ls /new; exit 9")).code).toBe(9);
    // What it is told on standard input, without a terminal.
    expect((await tsbuild(["shell"], { store, stdin: "cat /left\n" })).stdout).toBe("left\n");

    const { kinds } = JSON.parse(await mustTsbuild(["df", "--format", "json"], { store }));
    expect(kinds.find(({ kind }: { kind: string }) => kind === "failed")).toMatchObject({ count: 1 });
    expect((await tsbuild(["verify"], { store })).code).toBe(0);

    // Another build leaves it; one of the same target that goes well takes it away.
    const other = contextDirectory({ Dockerfile: "FROM busybox\nRUN true\n" });
    await mustTsbuild(["-q", other], { store });
    expect((await shell("-c", "cat /left")).stdout).toBe("left\n");
    writeFileSync(`${context}/Dockerfile`, "FROM busybox\nRUN true\n");
    await mustTsbuild(["-q", context], { store });
    expect((await shell("-c", "true")).stderr).toContain("[NO_FAILED_STEP]");
  });

  it("opens the step that the error names, where those of several platforms fail at once", async () => {
    const Dockerfile = [
      "FROM --platform=$BUILDPLATFORM busybox",
      "ARG TARGETARCH",
      "RUN --mount=type=cache,target=/c touch /c/$TARGETARCH; until [ -e /c/amd64 ] && [ -e /c/arm64 ]; do :; done; exit 4",
      "",
    ].join("\n");
    const context = contextDirectory({ Dockerfile });
    const built = await tsbuild(["--platform", "linux/amd64,linux/arm64", "--jobs", "2", "--progress", "plain", context], { store });
    const [title = "no title"] = /\[linux\/[^\]]+\] RUN [^\n]*(?=: exit code 4 \[STEP_FAILED\])/.exec(built.stderr) ?? [];
    expect(built.stderr).toContain("  hint: tsbuild shell opens a shell in the step as it failed\n");
    expect((await shell("-c", "true")).stderr).toContain(`note: ${title}, as it failed`);
  });

  it("has the secrets of the step where they are given again, and keeps none of their bytes", async () => {
    const env = { THE_TOKEN: "s3cr3t-value-of-the-build" };
    const mounts = "--mount=type=secret,id=THE_TOKEN,required --mount=type=secret,id=THE_TOKEN,env=TOKEN";
    const good = contextDirectory({ Dockerfile: `FROM busybox\nRUN ${mounts} echo left > /left; exit 4\n` });
    expect((await tsbuild(["--secret", "id=THE_TOKEN", good], { store, env })).stderr).toContain("tsbuild shell opens a shell");
    const look = ["-c", "cat /left /run/secrets/THE_TOKEN; echo; echo $TOKEN"];
    const again = await tsbuild(["shell", "--secret", "id=THE_TOKEN", ...look], { store, env });
    expect(again.stdout).toBe(`left\n${env.THE_TOKEN}\n${env.THE_TOKEN}\n`);
    const without = await shell(...look);
    expect([without.stdout, without.stderr]).toEqual([
      "left\n\n\n",
      expect.stringContaining("--secret id=THE_TOKEN,src=FILE gives it again"),
    ]);

    const bad = contextDirectory({ Dockerfile: `FROM busybox\nRUN ${mounts} cp /run/secrets/THE_TOKEN /copy; exit 4\n` });
    const leaked = await tsbuild(["--secret", "id=THE_TOKEN", bad], { store, env });
    expect(leaked.stderr).toContain('hint: nothing of the step is kept for tsbuild shell: "/copy" has the secret "THE_TOKEN"\n');
    expect(spawnSync("grep", ["-rlaF", env.THE_TOKEN, store], { encoding: "utf8" }).stdout).toBe("");
    expect((await shell("-c", "cat /left")).stdout).toBe("left\n");
    await mustTsbuild(["prune", "--force", "--filter", "type=failed"], { store });
  });

  it("does not leave the secrets of the step in its cache mounts", async () => {
    const env = { THE_TOKEN: "s3cr3t-value-of-the-build" };
    const cache = "--mount=type=cache,target=/c,id=of-shell,sharing=locked";
    const failed = contextDirectory({ Dockerfile: `FROM busybox\nRUN --mount=type=secret,id=THE_TOKEN ${cache} exit 4\n` });
    await tsbuild(["--secret", "id=THE_TOKEN", failed], { store, env });
    const copying = ["-c", "cp /run/secrets/THE_TOKEN /c/copy; echo kept > /c/other"];
    const seen = await tsbuild(["shell", "--secret", "id=THE_TOKEN", ...copying], { store, env });
    expect(seen.stderr).toContain("as it failed; what is changed here is thrown away, but for what is in cache mounts\n");
    expect(seen.stderr).toContain('removed, for the secrets in it: "THE_TOKEN": "/copy" of the cache mount "of-shell" has it as it is\n');
    const next = contextDirectory({ Dockerfile: `FROM busybox\nRUN ${cache} ls /c\n` });
    const built = await tsbuild(["--progress", "plain", next], { store });
    expect(built.stderr).toContain(" other\n");
    expect(built.stderr).not.toContain(" copy\n");
    expect(spawnSync("grep", ["-rlaF", env.THE_TOKEN, store], { encoding: "utf8" }).stdout).toBe("");
  });

  it("waits for a build that has a locked cache of the step", async () => {
    const cache = "--mount=type=cache,target=/c,id=of-waiting,sharing=locked";
    await tsbuild([contextDirectory({ Dockerfile: `FROM busybox\nRUN ${cache} exit 4\n` })], { store });
    const holding = contextDirectory({
      Dockerfile: `FROM busybox\nRUN ${cache} echo HAS; until test -e /c/go; do sleep 0.1; done; echo over\n`,
    });
    const child = spawn(process.execPath, [CLI_PATH, "--progress", "plain", holding], { env: { ...process.env, TSBUILD_ROOT: store } });
    const closed = once(child, "close");
    await saying(child.stderr, " HAS\n");
    const waiting = spawn(process.execPath, [CLI_PATH, "shell", "-c", "ls /c"], { env: { ...process.env, TSBUILD_ROOT: store } });
    const over = once(waiting, "close");
    await saying(waiting.stderr, `waiting for the cache mount "of-waiting": process ${child.pid} uses it`);
    const data = spawnSync("find", [`${store}/v1/cache-mounts`, "-maxdepth", "2", "-name", "data"], { encoding: "utf8" })
      .stdout.trim()
      .split("\n");
    for (const directory of data) writeFileSync(join(directory, "go"), "");
    expect(await closed).toEqual([0, null]);
    expect(await over).toEqual([0, null]);
  });

  it("has nothing to open where the next build went well, or where nothing is to be kept", async () => {
    const context = contextDirectory({ Dockerfile: "FROM busybox\nRUN echo again > /left; exit 4\n" });
    await tsbuild(["-q", context], { store });
    expect((await shell("-c", "cat /left")).stdout).toBe("again\n");
    const none = await tsbuild(["prune", "--force", "--filter", "type=failed"], { store });
    expect(none.stdout).toContain("failed");
    const nothing = await shell("-c", "true");
    expect([nothing.code, nothing.stderr]).toEqual([
      125,
      expect.stringContaining("[NO_FAILED_STEP]\n  hint: tsbuild shell --at LINE PATH"),
    ]);
    expect((await tsbuild(["-q", "--keep-failed=false", context], { store })).stderr).not.toContain("tsbuild shell");
    expect((await shell("-c", "true")).code).toBe(125);
  });

  it("reads layers for the step that failed as far as the settings let it", async () => {
    const context = contextDirectory({ Dockerfile: "FROM busybox\nRUN exit 4\n" });
    await tsbuild(["-q", context], { store });
    // So that the blobs must be read again.
    const layers = `${store}/v1/layers`;
    for (const layer of readdirSync(layers))
      for (const part of ["tree", "dir"]) rmSync(join(layers, layer, part), { recursive: true, force: true });
    const settings = temporaryDirectory("settings");
    mkdirSync(join(settings, "tsbuild"));
    writeFileSync(join(settings, "tsbuild/tsbuild.toml"), "[store]\nmax_layer_entries = 1\n");
    const env = { XDG_CONFIG_HOME: settings };
    expect((await tsbuild(["shell", "-c", "true"], { store, env })).stderr).toContain("more than 1 entries [TOO_LARGE]");
    expect((await shell("-c", "true")).code).toBe(0);
    await mustTsbuild(["prune", "--force", "--filter", "type=failed"], { store });
  });

  it("opens any step of a build, after it and before it", async () => {
    const context = contextDirectory({
      Dockerfile: "FROM busybox AS one\nARG A=arg\nRUN echo one > /one\nENV B=env\nUSER 5\nRUN touch /tmp/two\nFROM one\nRUN exit 1\n",
    });
    const look = "ls /one /tmp/two; echo $A $B; id -u";
    expect((await shell("--at", "one:3", "-c", look, context)).stdout).toBe("/one\n/tmp/two\narg env\n5\n");
    expect((await shell("--at", "3", "-c", look, context)).stdout).toBe("/one\narg\n0\n");
    const before = await shell("--at", "3", "--before", "-c", look, context);
    expect([before.stdout, before.code]).toEqual(["arg\n0\n", 0]);
    expect((await shell("--at", "8", "--before", "--build-arg", "A=other", "-c", "echo $A; ls /tmp", context)).stdout).toBe("other\ntwo\n");
    const beyond = await shell("--at", "one:9", context);
    expect([beyond.code, beyond.stderr]).toEqual([125, expect.stringContaining("there are 3 [UNKNOWN_STEP]")]);
  });

  it("has at a RUN what the step has, after it and before it, and in a place that is no RUN no mounts", async () => {
    const run = [
      "RUN --mount=type=bind,from=files,source=/d,target=/bound --mount=type=bind,target=/ctx --mount=type=cache,target=/cached,id=of-shell-at",
      "--mount=type=tmpfs,target=/t --mount=type=secret,id=THE_TOKEN,required --mount=type=ssh,required --network=none",
      "test -s /run/secrets/THE_TOKEN && test -S $SSH_AUTH_SOCK && echo c > /cached/x && echo done > /done",
    ].join(" ");
    const context = contextDirectory({
      Dockerfile: `FROM busybox AS files\nRUN mkdir /d && echo of the stage > /d/f\nFROM busybox\nARG A=arg\n${run}\nENV B=env\n`,
      a: "of the context\n",
    });
    const key = join(temporaryDirectory("key"), "key");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
    const env = { THE_TOKEN: "s3cr3t-value-of-the-build" };
    const given = ["--secret", "id=THE_TOKEN", "--ssh", `default=${key}`];
    const look =
      "cat /bound/f /ctx/a /run/secrets/THE_TOKEN; echo; mount | grep -c ' /t '; ls /done /cached; test -S \"$SSH_AUTH_SOCK\" && echo agent; echo $A; tail -n +3 /proc/net/dev | wc -l";
    const at = (...args: string[]) => tsbuild(["shell", "--at", "5", ...args, "-c", look, context], { store, env });
    const before = await at("--before", ...given);
    expect(before.stdout, before.stderr).toBe(`of the stage\nof the context\n${env.THE_TOKEN}\n1\n/cached:\nagent\narg\n1\n`);
    const after = await at(...given);
    expect(after.stdout, after.stderr).toBe(`of the stage\nof the context\n${env.THE_TOKEN}\n1\n/done\n\n/cached:\nx\nagent\narg\n1\n`);
    // The step is cached now: a shell goes without what nobody gives.
    const without = await at();
    expect(without.stdout, without.stderr).toBe("of the stage\nof the context\n\n1\n/done\n\n/cached:\nx\narg\n1\n");
    expect(without.stderr).toContain('the step had the secret "THE_TOKEN": --secret id=THE_TOKEN,src=FILE gives it again');
    expect(without.stderr).toContain('the step had the SSH agent "default": --ssh default gives it again');
    const copied = await shell("--at", "6", "-c", "ls /ctx; echo $B", context);
    expect([copied.stdout, copied.stderr]).toEqual(["env\n", expect.stringContaining("/ctx: No such file or directory")]);
  });

  it("has at a RUN the caches as the step left them, though they began anew for it", async () => {
    const run = "RUN --mount=type=cache,target=/cached,id=begun-anew ls /cached > /found && echo c > /cached/$A";
    const context = contextDirectory({ Dockerfile: `FROM busybox\nARG A\n${run}\n` });
    const at = (a: string) => shell("--at", "3", "--no-cache", "--build-arg", `A=${a}`, "-c", "cat /found; ls /cached", context);
    expect((await at("first")).stdout).toBe("first\n");
    expect((await at("second")).stdout).toBe("second\n");
  });

  it("opens an image", async () => {
    expect((await shell("-c", "echo $0 in; ls /bin/sh", "busybox")).stdout).toBe("/bin/sh in\n/bin/sh\n");
    expect((await tsbuild(["shell", "busybox"], { store, stdin: "echo $((6 * 7))\n" })).stdout).toBe("42\n");
  });
});
