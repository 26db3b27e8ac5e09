import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { exitCodeOf, runSandbox, type SandboxSpec } from "../../runtime-addon/index.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { type BoxChanges, box, boxSpec, lines } from "./box.ts";

describe("a command in a sandbox", needs("root", "privateMounts"), () => {
  it.each([
    ["success", "exit 0", { code: 0 }, 0],
    ["its own code", "exit 7", { code: 7 }, 7],
    ["the largest code", "exit 255", { code: 255 }, 255],
    ["127 of its own", "exit 127", { code: 127 }, 127],
    ["a signal", "kill -TERM $$", { signal: 15 }, 143],
    ["a signal that kills", "kill -9 $$", { signal: 9 }, 137],
    ["a code that only looks like a signal", "exit 137", { code: 137 }, 137],
  ])("ends with %s", async (_name, script, status, exitCode) => {
    const run = await box(script);
    expect(run.status).toEqual(status);
    expect(exitCodeOf(run.status)).toBe(exitCode);
  });

  it.each<[string, BoxChanges, string, RegExp]>([
    ["is not in PATH", { process: { args: ["nothing-of-the-kind"] } }, "COMMAND_NOT_FOUND", /^running nothing-of-the-kind: not found/],
    ["is an empty word", { process: { args: [""] } }, "COMMAND_NOT_FOUND", /not found/],
    ["is not at its path", { process: { args: ["/bin/gone"] } }, "COMMAND_NOT_FOUND", /^running \/bin\/gone: not found/],
    ["is a directory", { process: { args: ["/etc"] } }, "COMMAND_NOT_EXECUTABLE", /^running \/etc: cannot be executed: EACCES/],
    ["has too many arguments", { process: { args: ["true", "x".repeat(200_000)] } }, "COMMAND_NOT_EXECUTABLE", /too long: E2BIG/],
  ])("that %s is told from one that fails", async (_name, changes, code, message) => {
    await expect(box("", changes)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it("that is a script without an interpreter is not fed to a shell", async () => {
    const spec = boxSpec("", { process: { args: ["/script"] } });
    const lower = temporaryDirectory("script");
    writeFileSync(join(lower, "script"), "echo surprise\n", { mode: 0o755 });
    await expect(runSandbox(withLower(spec, lower), { stdin: "null", output: () => {} })).rejects.toMatchObject({
      code: "COMMAND_NOT_EXECUTABLE",
      message: "running /script: not a program for this machine, nor a script with #!: ENOEXEC, execve",
    });
  });

  it("gets a working directory that does not exist reported as that", async () => {
    await expect(box("true", { process: { cwd: "/no/such" } })).rejects.toMatchObject({
      code: "WORKING_DIRECTORY",
      message: "entering working directory /no/such: ENOENT, chdir",
    });
  });

  it("has exactly the given environment, directory and umask", async () => {
    const env = { PATH: "/bin", EMPTY: "", "WITH SPACE": "a=b\nc", UNICODE: "ü" };
    const run = await box("", { process: { args: ["env"], env, cwd: "/tmp" } });
    expect(run.stdout).toBe("PATH=/bin\nEMPTY=\nWITH SPACE=a=b\nc\nUNICODE=ü\n");
    expect(lines(await box("pwd; umask", { process: { cwd: "/tmp" } }))).toEqual(["/tmp", "0022"]);
  });

  it("looks for its program in Docker's default PATH where the environment has none", async () => {
    const run = await box("", { process: { args: ["env"], env: {} } });
    expect(run.stdout).toBe("");
  });

  it("has stdin, stdout, stderr and nothing else open", async () => {
    // The glob itself is fd 3, while it is read.
    const run = await box("for fd in /proc/self/fd/*; do readlink $fd; done | sort");
    expect(lines(run).map((line) => line.replace(/\[.*/, ""))).toEqual(["/dev/null", "pipe:", "pipe:"]);
  });

  it("has no signal ignored or blocked", async () => {
    // Not through the shell, which ignores SIGQUIT.
    const run = await box("", { process: { args: ["grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status"] } });
    expect(lines(run)).toEqual(["SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000", "SigCgt:\t0000000000000000"]);
    expect((await box("yes | head -n 1; echo ok")).stdout).toBe("y\nok\n");
  });

  it("can open its output again, as another user too", async () => {
    const run = await box("echo out > /dev/stdout; echo err > /dev/stderr; echo tee | tee /dev/stderr", {
      process: { uid: 1234, gid: 1234 },
    });
    expect([run.stdout, run.stderr]).toEqual(["out\ntee\n", "err\ntee\n"]);
  });

  it("writes 10 MB, each byte of which arrives", async () => {
    const run = await box("head -c 10485760 /dev/zero | tr '\\0' x; head -c 1000000 /dev/zero | tr '\\0' e >&2");
    expect([run.stdout.length, run.stderr.length]).toEqual([10_485_760, 1_000_000]);
    expect(/^x+$/.test(run.stdout)).toBe(true);
  });

  it("waits for a slow reader instead of filling memory", async () => {
    let seen = 0;
    const result = await runSandbox(boxSpec("head -c 3000000 /dev/zero"), {
      stdin: "null",
      output: async (chunk) => {
        seen += chunk.length;
        await new Promise((resolve) => setTimeout(resolve, 2));
      },
    });
    expect([result.status, seen]).toEqual([{ code: 0 }, 3_000_000]);
  });

  it("dies when its reader fails, and the reader's error is the result", async () => {
    const failing = runSandbox(boxSpec("while true; do echo x; done"), {
      stdin: "null",
      output: () => {
        throw new Error("disk full");
      },
    });
    await expect(failing).rejects.toThrow("disk full");
  });

  it.each<[string, BoxChanges["process"], string[]]>([
    ["root: Docker's fourteen", {}, ["a80425fb", "a80425fb", "a80425fb"]],
    ["another user: none, bounded by the fourteen", { uid: 1000, gid: 1000 }, ["0", "0", "a80425fb"]],
    ["root without any", { capabilities: [] }, ["0", "0", "0"]],
    ["root with two", { capabilities: ["CAP_CHOWN", "net_bind_service"] }, ["401", "401", "401"]],
  ])("has the capabilities of %s", async (_name, process, [permitted, effective, bounding]) => {
    const run = await box("grep -E '^Cap|^NoNewPrivs' /proc/self/status", process === undefined ? {} : { process });
    const shown = Object.fromEntries(lines(run).map((line) => [line.split(":")[0], line.split("\t")[1]?.replace(/^0+(?=.)/, "")]));
    expect(shown).toEqual({ CapInh: "0", CapPrm: permitted, CapEff: effective, CapBnd: bounding, CapAmb: "0", NoNewPrivs: "0" });
  });

  it("has the given user and groups", async () => {
    const run = await box("id -u; id -g; id -G", { process: { uid: 1000, gid: 2000, groups: [2000, 3000, 4000] } });
    expect(lines(run)).toEqual(["1000", "2000", "2000 3000 4000"]);
  });

  it("has few descriptors at first and may raise that, and the limits that are given", async () => {
    expect(lines(await box("ulimit -Sn"))).toEqual(["1024"]);
    const run = await box("ulimit -Sn; ulimit -Hn; ulimit -Sc", {
      process: { rlimits: { nofile: { soft: 100, hard: 200 }, core: { soft: 0, hard: 0 } } },
    });
    expect(lines(run)).toEqual(["100", "200", "0"]);
  });

  it("is measured", async () => {
    const { usage } = await box("head -c 50000000 /dev/zero | md5sum");
    expect(usage.cpuMs).toBeGreaterThan(1);
    expect(usage.peakMemoryBytes).toBeGreaterThan(100_000);
    expect(usage.oomKilled).toBe(false);
  });
});

/** The spec with one more lower directory on top. */
function withLower(spec: SandboxSpec, lower: string): SandboxSpec {
  if (!("lowers" in spec.root)) throw new Error("not an overlay");
  return { ...spec, root: { ...spec.root, lowers: [lower, ...spec.root.lowers] } };
}
