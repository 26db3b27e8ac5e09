import { beforeAll, describe, expect, it } from "vitest";
import { runContainer } from "../../builder/run-container.ts";
import { importBusybox } from "../support/bases.ts";
import { temporaryStore, tsbuild } from "../support/cli.ts";
import { contextDirectory } from "../support/context.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const store = temporaryStore();

function run(...args: string[]) {
  return tsbuild(["run", "--rm", ...args], { store });
}

beforeAll(() => importBusybox({ store }));

describe("run", needs("sandbox"), () => {
  it.each<[name: string, args: string[], code: number, message?: string]>([
    ["success", ["busybox", "true"], 0],
    ["the command's own code", ["busybox", "sh", "-c", "exit 7"], 7],
    ["128 + n for signal n", ["busybox", "sh", "-c", "kill -9 $$"], 137],
    [
      "127 for a command that is not there",
      ["busybox", "no-such-command"],
      127,
      "not found in the image: ENOENT, execve [COMMAND_NOT_FOUND]",
    ],
    ["126 for a command that cannot be executed", ["busybox", "/etc/passwd"], 126, "EACCES, execve [COMMAND_NOT_EXECUTABLE]"],
    [
      "125 for an image that is not there",
      ["--pull=never", "no-such-image"],
      125,
      `looking for image "no-such-image": it is not in the store ${store}; registries are not asked (--pull=never) [NOT_FOUND]\n  hint: tsbuild images lists what is there; tsbuild pull no-such-image fetches it, tsbuild import ROOTFS.tar no-such-image makes one\n`,
    ],
    ["125 for too little memory", ["-m", "10", "busybox"], 125, "[INVALID_VALUE]\n  hint: write 10m\n"],
    ["125 for an unknown flag", ["--no-such-flag", "busybox"], 125, "run has no flag --no-such-flag [UNKNOWN_FLAG]"],
  ])("ends with %s", async (_name, args, code, message) => {
    const result = await run(...args);
    expect(result.code, result.stderr).toBe(code);
    if (message === undefined) expect(result.stderr).toBe("");
    else expect(result.stderr).toContain(message);
  });

  it("passes output, input and words through", async () => {
    expect(await run("busybox", "echo", "two words", "*")).toEqual({ code: 0, stdout: "two words *\n", stderr: "" });
    const piped = await tsbuild(["run", "--rm", "-i", "busybox", "cat"], { store, stdin: "through\n" });
    expect([piped.code, piped.stdout]).toEqual([0, "through\n"]);
    expect((await run("busybox", "sh", "-c", "echo out; echo err >&2")).stderr).toContain("err\n");
  });

  it("sets variables, directory, user and entrypoint", async () => {
    const result = await run(
      "-e",
      "A=b",
      "-w",
      "/tmp",
      "-u",
      "5:6",
      "--entrypoint",
      "/bin/sh",
      "busybox",
      "-c",
      'echo "$A $PWD $(id -u):$(id -g)"',
    );
    expect(result.stdout).toBe("b /tmp 5:6\n");
  });

  it("shows the container its own processes and root only, and leaves nothing of what it wrote", async () => {
    const seen = await run("busybox", "sh", "-c", "echo $$ > /left; ls /; ls /proc | grep -c '^[0-9]*$'");
    expect(seen.stdout).toMatch(/^bin\ndev\netc\nhome\nleft\nproc\nroot\nsys\ntmp\nusr\nvar\n[1-4]\n$/);
    expect(await run("busybox", "ls", "/left")).toEqual({ code: 1, stdout: "", stderr: "ls: /left: No such file or directory\n" });
  });

  it("reaches a directory of the host only where a volume says so, and writes only where it may", async () => {
    const directory = temporaryDirectory();
    expect((await run("-v", `${directory}:/out`, "busybox", "touch", "/out/made")).code).toBe(0);
    expect(await run("-v", `${directory}:/out:ro`, "busybox", "touch", "/out/refused")).toEqual({
      code: 1,
      stdout: "",
      stderr: "touch: /out/refused: Read-only file system\n",
    });
    expect((await run("-v", `${directory}:/out:ro`, "busybox", "ls", "/out")).stdout).toBe("made\n");
  });

  it("says that a published port keeps nobody out, where one might think so", async () => {
    const note = (container: number, host: number) =>
      `note: the container shares the host's network: port ${container} can be reached as the command listens on it; port ${host} is added, and keeps nobody out\n`;
    expect((await run("--network", "host", "-p", "127.0.0.1:48731:8080", "busybox", "true")).stderr).toBe(note(8080, 48731));
    expect((await run("--network", "host", "-p", "48731:8080", "busybox", "true")).stderr).toBe(note(8080, 48731));
    expect((await run("--network", "host", "-p", "8080:8080", "busybox", "true")).stderr).toBe("");
    expect((await run("-p", "48731:8080", "--network", "none", "busybox", "true")).stderr).toBe(
      "note: --publish: nothing reaches a container without a network (none)\n",
    );
  });

  it("keeps its own /proc, also where a program asks for another", async () => {
    const volumes = [{ source: "/tmp", target: "/proc/sys", readOnly: true }];
    await expect(runContainer({ store, image: "busybox", command: ["true"], volumes })).rejects.toMatchObject({
      code: "INVALID_VALUE",
      message: "mounting on /proc/sys: /proc is the sandbox's own",
    });
  });

  it("has loopback only with --network none", async () => {
    const result = await run(
      "--network",
      "none",
      "busybox",
      "sh",
      "-c",
      "ls /sys/class/net 2>/dev/null || cut -d: -f1 /proc/net/dev | tail -n +3",
    );
    expect(result.stdout.trim()).toBe("lo");
  });

  it("runs what the image says", async () => {
    const context = contextDirectory({
      Dockerfile: 'FROM busybox\nWORKDIR /srv\nENV WHO=me\nUSER 9\nENTRYPOINT ["echo"]\nCMD ["default"]\n',
    });
    expect((await tsbuild(["-t", "says", "--progress", "plain", context], { store })).code).toBe(0);
    expect((await run("says")).stdout).toBe("default\n");
    expect((await run("says", "other")).stdout).toBe("other\n");
    expect((await run("--entrypoint", "sh", "says", "-c", "echo $PWD $WHO $(id -u)")).stdout).toBe("/srv me 9\n");
  });

  it("kills what needs more memory than it may have", needs("cgroups", "root"), async () => {
    const result = await run("-m", "16m", "busybox", "sh", "-c", "dd if=/dev/zero of=/dev/shm/x bs=1M count=60");
    expect(result.code).toBe(137);
    expect(result.stderr).toMatch(/^note: the container ran out of memory \(limit 16\.0 MiB, peak 1[56]\.\d MiB\): raise --memory$/m);
  });

  it("tells that a process could not be started", needs("cgroups", "root"), async () => {
    const result = await run("--pids-limit", "3", "busybox", "sh", "-c", "for i in 1 2 3 4; do sleep 9 & done");
    expect(result.stderr).toMatch(/^note: the container ran out of processes \(limit 3\): raise --pids-limit$/m);
  });
});
