import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readdirSync, readlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { describe, expect, it, onTestFinished } from "vitest";
import { importBusybox } from "../support/bases.ts";
import { CLI_PATH, temporaryStore, tsbuild } from "../support/cli.ts";
import { type CommandResult, command } from "../support/command.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";

function sample(): string {
  const context = join(temporaryDirectory("terminal"), "context");
  mkdirSync(context);
  writeFileSync(join(context, "Dockerfile"), "FROM scratch\nCOPY a /a\n");
  writeFileSync(join(context, "a"), "content");
  return context;
}

/** Runs tsbuild on a terminal of its own; what the terminal gets is stdout. */
function onTerminal(args: readonly string[], env: Record<string, string> = {}): Promise<CommandResult> {
  const line = [process.execPath, "--", CLI_PATH, ...args].map((word) => `'${word}'`).join(" ");
  const { NO_COLOR: _, ...inherited } = process.env;
  return command(["script", "-qec", line, "/dev/null"], { env: { ...inherited, TERM: "xterm-256color", ...env } });
}

/** What a process has open; what it closes meanwhile is left out. */
function openFiles(pid: number | undefined): readonly string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).flatMap((fd) => {
    try {
      return [readlinkSync(join(folder, fd))];
    } catch {
      return [];
    }
  });
}

describe("a build on a terminal", () => {
  it("shows a live picture, leaves one line a step and gives the cursor back", async () => {
    const store = temporaryStore();
    const { code, stdout } = await onTerminal(["--store", store, "-t", "app", sample()]);
    expect(code).toBe(0);
    expect(stdout).toContain("\x1b[?25l");
    expect(stdout.lastIndexOf("\x1b[?25h")).toBeGreaterThan(stdout.lastIndexOf("\x1b[?25l"));
    expect(stdout).toContain("\x1b[32m✓\x1b[39m [2/2] COPY a /a");
    expect(stdout).toMatch(/image\S* sha256:[0-9a-f]{64}, [\d.]+ kB: app/);
  });

  it("has no colours with NO_COLOR, and no escape sequences at all with --progress plain", async () => {
    const store = temporaryStore();
    const context = sample();
    expect((await onTerminal(["--store", store, context], { NO_COLOR: "1" })).stdout).not.toMatch(/\x1b\[\d+m/);
    expect((await onTerminal(["--store", store, "--progress", "plain", context])).stdout).not.toContain("\x1b");
    expect((await onTerminal(["--store", store, context], { TERM: "dumb" })).stdout).not.toContain("\x1b");
  });
});

describe("what is printed where", () => {
  it("results on standard output, the rest on standard error", async () => {
    const store = temporaryStore();
    const context = sample();
    const built = await tsbuild(["-t", "app", context], { store });
    expect(built).toMatchObject({ code: 0, stdout: "" });
    const quiet = await tsbuild(["-q", "-t", "app", context], { store });
    expect(quiet).toMatchObject({ code: 0, stderr: "" });
    expect(quiet.stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    expect(built.stderr).toContain(quiet.stdout.trim());
  });

  it("ids and names in the files that were asked for", async () => {
    const store = temporaryStore();
    const work = temporaryDirectory("ids");
    const files = [join(work, "id"), join(work, "metadata")] as const;
    const { code, stdout } = await tsbuild(
      ["-q", "-t", "app", "-t", "app:v1", "--iidfile", files[0], "--metadata-file", files[1], sample()],
      { store },
    );
    expect(code).toBe(0);
    const { readFileSync } = await import("node:fs");
    const imageId = stdout.trim();
    expect(readFileSync(files[0], "utf8")).toBe(imageId);
    const inspected = JSON.parse((await tsbuild(["inspect", "app"], { store })).stdout);
    expect(inspected.imageId).toBe(imageId);
    expect(JSON.parse(readFileSync(files[1], "utf8"))).toEqual({
      "containerimage.config.digest": imageId,
      "containerimage.digest": inspected.manifest.digest,
      "image.name": "app,app:v1",
    });
  });

  it("nothing more than the reader wants", async () => {
    const store = temporaryStore();
    const { code, stderr } = await command(["sh", "-c", `'${process.execPath}' -- '${CLI_PATH}' info --help | head -1 >/dev/null`], {
      env: { ...process.env, TSBUILD_ROOT: store },
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });
});

describe("commands on images", () => {
  it("list, tag, describe and remove", async () => {
    const store = temporaryStore();
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await tsbuild(args, { store });
      return { code, stdout, stderr };
    };
    const imageId = (await run("-q", "-t", "app", "--build-arg", "SOURCE_DATE_EPOCH=0", sample())).stdout.trim();
    const short = imageId.slice(7, 19);
    expect(await run("tag", short, "app:v1")).toEqual({ code: 0, stdout: "", stderr: "" });
    const { stdout: table } = await run("images");
    expect(table.split("\n").map((line) => line.replace(/\d+ years ago/, "AGE").split(/ {2,}/))).toEqual([
      ["NAME", "IMAGE ID", "CREATED", "SIZE", "OWN"],
      ["app", short, "AGE", expect.stringMatching(/kB$/), expect.stringMatching(/kB$/)],
      ["app:v1", short, "AGE", expect.stringMatching(/kB$/), expect.stringMatching(/kB$/)],
      [""],
    ]);
    expect((await run("images", "-q")).stdout).toBe(`${short}\n`);
    expect(JSON.parse((await run("images", "--format", "json")).stdout)).toMatchObject([
      { names: ["app", "app:v1"], imageId, created: "1970-01-01T00:00:00Z" },
    ]);
    expect(JSON.parse((await run("history", "--format", "json", "app")).stdout)).toMatchObject([
      { createdBy: "COPY a /a # buildkit", sizeBytes: 2048 },
    ]);
    expect((await run("history", "app")).stdout.split("\n")[0]).toBe("CREATED       CREATED BY            SIZE     WASTED  COMMENT");
    expect(await run("rmi", short)).toEqual({
      code: 1,
      stdout: "",
      stderr: `error: removing ${short}: the image has several names: app, app:v1 [IMAGE_HAS_NAMES]\n  hint: remove the names, or give --force\n`,
    });
    expect(await run("rmi", "nope", "app:latest")).toEqual({
      code: 1,
      stdout: "untagged app\n",
      stderr: `error: looking for image "nope": no image named docker.io/library/nope:latest in the store ${store} [NOT_FOUND]\n  hint: tsbuild images lists what is there\n`,
    });
    expect(await run("rmi", "app:v1")).toEqual({
      code: 0,
      stdout: `untagged app:v1\nremoved ${imageId}\n`,
      stderr: expect.stringMatching(
        /^note: [\d.]+ \w?B are in no image any more; tsbuild prune gives back [\d.]+ \w?B of the store, tsbuild prune --all with all build cache [\d.]+ \w?B\n$/,
      ),
    });
    expect(await run("images", "--format", "json")).toEqual({ code: 0, stdout: "[]\n", stderr: "" });
  });

  it("save an image to a file, a directory and a pipe, and load it again", async () => {
    const store = temporaryStore();
    const work = temporaryDirectory("save");
    const imageId = (await tsbuild(["-q", "-t", "app", "-t", "app:v1", sample()], { store })).stdout.trim();
    const file = join(work, "app.tar");
    expect(await tsbuild(["save", "app:v1", "-o", file], { store })).toEqual({ code: 0, stdout: "", stderr: "" });
    expect((await tsbuild(["save", "app", "-o", `${work}/layout/`], { store })).code).toBe(0);
    const piped = await command(["sh", "-c", `'${process.execPath}' -- '${CLI_PATH}' save --store '${store}' app:v1 | cmp - '${file}'`]);
    expect(piped).toEqual({ code: 0, stdout: "", stderr: "" });
    for (const [source, name] of [
      [file, "app:v1"],
      [`${work}/layout`, "app"],
    ] as const) {
      expect(await tsbuild(["load", source], { store: temporaryStore() })).toEqual({
        code: 0,
        stdout: `loaded ${name} ${imageId}\n`,
        stderr: "",
      });
    }
  });
});

/** Runs tsbuild on a terminal and presses Ctrl-C when the terminal shows "ready"; the last line of output says how tsbuild ended. */
const INTERRUPTER = `
import os, pty, sys
pid, master = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
seen = b""
typed = False
while True:
    try:
        chunk = os.read(master, 65536)
    except OSError:
        break
    seen += chunk
    if not typed and b"ready" in seen:
        typed = True
        os.write(master, b"\\x03")
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.stdout.buffer.write(seen + b"\\nended with %d" % code)
`;

describe("Ctrl-C in a container with a terminal and no input", needs("sandbox", "python"), () => {
  it.each([
    ["ends a command that does not listen with 130", "", 130, false],
    ["runs the command's own trap, whose code counts", "trap 'echo trapped; exit 42' INT;", 42, true],
    ["runs the command's own trap, which may end it with 130", "trap 'echo trapped; exit 130' INT;", 130, true],
  ])("%s", async (_name, trap, code, isTrapped) => {
    const store = temporaryStore();
    await importBusybox({ store });
    const script = `${trap} echo ready; i=0; while [ $i -lt 400 ]; do sleep 0.05; i=$((i+1)); done`;
    const argv = ["--", CLI_PATH, "run", "--store", store, "-t", "busybox", "sh", "-c", script];
    const { stdout } = await command(["python3", "-c", INTERRUPTER, process.execPath, ...argv]);
    expect(stdout.split("\n").at(-1)).toBe(`ended with ${code}`);
    expect(/trapped\r+\n/.test(stdout)).toBe(isTrapped);
  });
});

describe("the executable file itself", needs("sandbox"), () => {
  it("gets every word: Node, which knows --env-file too, takes none away", async () => {
    const store = temporaryStore();
    await importBusybox({ store });
    const file = join(temporaryDirectory("env"), "variables");
    writeFileSync(file, "FROM_FILE=seen\n");
    const env = { ...process.env, TSBUILD_ROOT: store };
    const read = await command([CLI_PATH, "run", "--env-file", file, "busybox", "sh", "-c", "echo $FROM_FILE"], { env });
    expect(read).toEqual({ code: 0, stdout: "seen\n", stderr: "" });
    const echoed = await command([CLI_PATH, "run", "busybox", "echo", "--env-file=x", "--env-file", "y"], { env });
    expect(echoed).toEqual({ code: 0, stdout: "--env-file=x --env-file y\n", stderr: "" });
    const missing = await command([CLI_PATH, "run", "--env-file=/no/such/file", "busybox", "true"], { env });
    expect([missing.code, missing.stderr]).toEqual([125, expect.stringContaining("[ENV_FILE]")]);
  });
});

describe("a cancelled command", () => {
  it.each([["SIGINT"], ["SIGTERM"]] as const)("that waits for input ends with 130 after one %s", async (signal) => {
    const child = spawn(process.execPath, ["--", CLI_PATH, "--store", temporaryStore(), "-"], { stdio: ["pipe", "ignore", "pipe"] });
    let stderr = "";
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    const ended = new Promise((resolve) => child.on("close", resolve));
    // Its signal handlers stand when it begins to read: a pipe's worth of input is gone then.
    await new Promise<void>((resolve) => child.stdin.write(Buffer.alloc(256 * 1024, "#"), () => resolve()));
    child.kill(signal);
    expect(await ended).toBe(130);
    expect(stderr).toBe("cancelled\n");
  });

  it("that has read its input from a file ends like any other", needs("sandbox"), async () => {
    const store = temporaryStore();
    await importBusybox({ store });
    const file = join(temporaryDirectory("input"), "Dockerfile");
    writeFileSync(file, "FROM busybox\nRUN echo begun; sleep 300\n");
    const input = openSync(file, "r");
    const child = spawn(process.execPath, ["--", CLI_PATH, "--store", store, "-"], { stdio: [input, "ignore", "pipe"] });
    closeSync(input);
    const stderr = child.stderr as Readable;
    let text = "";
    const begun = new Promise<void>((resolve) => {
      stderr.on("data", (chunk) => {
        text += chunk;
        if (text.includes("begun\n")) resolve();
      });
    });
    const ended = new Promise((resolve) => child.on("close", resolve));
    await begun;
    child.kill("SIGINT");
    expect(await ended).toBe(130);
    expect(text).toContain("cancelled\n");
    expect(text).not.toContain("Error");
  });

  it("attack: that reads a file without end is ended by the second signal", async () => {
    const store = temporaryStore();
    expect(await tsbuild(["--store", store, sample()])).toMatchObject({ code: 0 });
    const endless = join(store, "blobs/sha256", "0".repeat(64));
    writeFileSync(endless, "");
    truncateSync(endless, 8 * 2 ** 40);
    const child = spawn(process.execPath, ["--", CLI_PATH, "verify", "--store", store], { stdio: "ignore" });
    onTestFinished(() => void child.kill("SIGKILL"));
    const ended = new Promise((resolve) => child.on("close", resolve));
    await expect.poll(() => openFiles(child.pid), { timeout: 60_000 }).toContain(endless);
    child.kill("SIGINT");
    // Of two of one kind the system may deliver one.
    child.kill("SIGTERM");
    expect(await ended).toBe(130);
  });
});
