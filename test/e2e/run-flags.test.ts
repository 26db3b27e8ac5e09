import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { importBusybox } from "../support/bases.ts";
import { CLI_PATH, mustTsbuild, temporaryStore, tsbuild } from "../support/cli.ts";
import { contextDirectory } from "../support/context.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const store = temporaryStore();

function run(...args: string[]) {
  return tsbuild(["run", "--rm", ...args], { store });
}

beforeAll(async () => {
  await importBusybox({ store });
  const context = contextDirectory({ Dockerfile: 'FROM busybox\nSTOPSIGNAL SIGUSR2\nVOLUME /srv/data /etc/own\nCMD ["sh"]\n' });
  await mustTsbuild(["-q", "-t", "stops", context], { store });
});

describe("run", needs("sandbox"), () => {
  it("writes only to what is mounted with --read-only", async () => {
    const directory = temporaryDirectory();
    const script = "touch /x; touch /etc/x; touch /dev/shm/x /t/x /data/x && mount | grep ' / ' | grep -o '(ro,'";
    const result = await run("--read-only", "--tmpfs", "/t", "-v", `${directory}:/data`, "busybox", "sh", "-c", script);
    expect(result).toEqual({
      code: 0,
      stdout: "(ro,\n",
      stderr: "touch: /x: Read-only file system\ntouch: /etc/x: Read-only file system\n",
    });
  });

  it("has the directories of the image's volumes, which can be written, unless something is mounted there", async () => {
    const script = "stat -c '%a %u:%g %F' /srv/data /etc/own; touch /srv/data/x && ls /srv/data";
    expect(await run("stops", "sh", "-c", script)).toEqual({
      code: 0,
      stdout: "755 0:0 directory\n755 0:0 directory\nx\n",
      stderr: "",
    });
    const file = join(contextDirectory({ text: "mounted\n" }), "text");
    expect((await run("-v", `${file}:/srv/data`, "stops", "cat", "/srv/data")).stdout).toBe("mounted\n");
  });

  it("has memory with the options of --tmpfs, where nothing can be executed unless they say so", async () => {
    const script =
      'stat -c "%a %u:%g" /t; df -k /t | tail -1 | tr -s " " | cut -d" " -f2; cp /bin/busybox /t/true && /t/true; cp /bin/busybox /e/true && /e/true && echo ran';
    const result = await run(
      "--tmpfs",
      "/t:size=2m,mode=0751,uid=5,gid=6",
      "--mount",
      "type=tmpfs,target=/r,ro",
      "--tmpfs",
      "/e:exec",
      "busybox",
      "sh",
      "-c",
      script,
    );
    expect(result).toEqual({ code: 0, stdout: "751 5:6\n2048\nran\n", stderr: "sh: /t/true: Permission denied\n" });
    expect((await run("--mount", "type=tmpfs,target=/r,ro", "busybox", "touch", "/r/x")).stderr).toContain("Read-only file system");
  });

  it("mounts what is above first, whatever the order, and each place once", async () => {
    const directory = temporaryDirectory();
    const result = await run(
      "--tmpfs",
      "/a/b",
      "--mount",
      `type=bind,source=${directory},target=/a`,
      "busybox",
      "sh",
      "-c",
      "touch /a/b/x && ls /a",
    );
    expect(result).toEqual({ code: 0, stdout: "b\n", stderr: "" });
    const twice = await run("--tmpfs", "/a", "-v", `${directory}:/a`, "busybox", "true");
    expect([twice.code, twice.stderr]).toEqual([125, "error: mounting on /a: there is another mount on it [INVALID_VALUE]\n"]);
  });

  it.each<[name: string, args: string[], signal: NodeJS.Signals, expected: { code: number; stdout: string }]>([
    ["passes SIGHUP on", ["busybox"], "SIGHUP", { code: 3, stdout: "ready\nHUP\n" }],
    ["passes SIGUSR1 on", ["busybox"], "SIGUSR1", { code: 3, stdout: "ready\nUSR1\n" }],
    ["asks with SIGTERM to end", ["busybox"], "SIGTERM", { code: 3, stdout: "ready\nTERM\n" }],
    ["asks with the image's stop signal", ["stops"], "SIGTERM", { code: 3, stdout: "ready\nUSR2\n" }],
    ["asks with the stop signal of the flag", ["--stop-signal", "HUP", "stops"], "SIGTERM", { code: 3, stdout: "ready\nHUP\n" }],
    [
      "kills what does not end in time",
      ["--stop-timeout", "0", "--stop-signal", "WINCH", "busybox"],
      "SIGTERM",
      { code: 137, stdout: "ready\n" },
    ],
  ])("%s", async (_name, args, signal, expected) => {
    const script = 'for s in HUP USR1 USR2 TERM; do trap "echo $s; exit 3" $s; done; echo ready; while :; do sleep 0.05; done';
    const argv = ["--", CLI_PATH, "run", ...args, "sh", "-c", script];
    const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, TSBUILD_ROOT: store } });
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (stdout === "") child.kill(signal);
      stdout += text;
    });
    const [code] = await once(child, "close");
    expect({ code, stdout }).toEqual(expected);
  });

  it("says which flag of docker it does not have, and what there is instead", async () => {
    expect((await run("-d", "busybox")).stderr).toContain("-d is not supported: a container runs in the foreground");
    expect(await run("--init", "busybox", "true")).toEqual({ code: 0, stdout: "", stderr: "" });
  });
});
