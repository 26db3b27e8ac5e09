import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterEach, describe, expect, it } from "vitest";
import { lockFile } from "../../runtime-addon/index.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { bundleProgram } from "./bundled.ts";

const opened: number[] = [];
const started: ChildProcess[] = [];

function open(path: string): number {
  const fd = openSync(path, "a");
  opened.push(fd);
  return fd;
}

function close(fd: number): void {
  closeSync(fd);
  opened.splice(opened.indexOf(fd), 1);
}

afterEach(async () => {
  for (const fd of opened.splice(0)) closeSync(fd);
  for (const child of started.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.stdin?.end();
      await once(child, "exit");
    }
  }
});

/** Another process that holds the lock of a file until its input ends. */
async function holder(path: string): Promise<ChildProcess> {
  const child = spawn("flock", [path, "sh", "-c", "echo held; exec cat"], { stdio: ["pipe", "pipe", "ignore"] });
  started.push(child);
  await once(child.stdout as NodeJS.ReadableStream, "data");
  return child;
}

describe("lockFile", () => {
  it("is shared by many and exclusive to one open file, and converts", async () => {
    const path = join(temporaryDirectory("lock"), "lock");
    const [a, b, c] = [open(path), open(path), open(path)];
    const now = { wait: false };
    expect(await lockFile(a, "shared", now)).toBe(true);
    expect(await lockFile(b, "shared", now)).toBe(true);
    expect(await lockFile(c, "exclusive", now)).toBe(false);
    close(a);
    expect(await lockFile(b, "exclusive", now)).toBe(true);
    expect(await lockFile(c, "shared", now)).toBe(false);
    close(b);
    expect(await lockFile(c, "exclusive", now)).toBe(true);
  });

  it("waits for another process without stopping this one, nor any of Node's own work", async () => {
    const path = join(temporaryDirectory("lock"), "lock");
    const other = await holder(path);
    const fds = Array.from({ length: 12 }, () => open(path));
    let locked = 0;
    const waits = fds.map((fd) => lockFile(fd, "shared", { wait: true }).then(() => locked++));
    const { stat } = await import("node:fs/promises");
    for (let i = 0; i < 20; i++) await stat(path);
    expect(locked).toBe(0);
    other.stdin?.end();
    await Promise.all(waits);
    expect(locked).toBe(12);
    expect(await lockFile(open(path), "exclusive", { wait: false })).toBe(false);
  });

  it("keeps the file locked by its own descriptor only: closing it gives the lock up", async () => {
    const path = join(temporaryDirectory("lock"), "lock");
    const first = open(path);
    await lockFile(first, "exclusive", { wait: true });
    const second = open(path);
    const waiting = lockFile(second, "exclusive", { wait: true });
    close(first);
    expect(await waiting).toBe(true);
    const third = open(path);
    expect(await lockFile(third, "shared", { wait: false })).toBe(false);
    close(second);
    expect(await lockFile(third, "shared", { wait: false })).toBe(true);
  });

  it("gives the wait up when it is aborted, with the signal's reason", async () => {
    const path = join(temporaryDirectory("lock"), "lock");
    const first = open(path);
    await lockFile(first, "exclusive", { wait: true });
    const second = open(path);
    const abort = new AbortController();
    const waiting = lockFile(second, "exclusive", { wait: true, signal: abort.signal });
    const reason = new Error("cancelled");
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(lockFile(second, "exclusive", { wait: true, signal: abort.signal })).rejects.toBe(reason);
    close(second);
    close(first);
    const third = open(path);
    expect(await lockFile(third, "exclusive", { wait: true })).toBe(true);
  });

  it("refuses what is not open", async () => {
    await expect(lockFile(-1, "shared", { wait: true })).rejects.toMatchObject({ code: "EBADF", errno: -9, syscall: "flock" });
  });

  it("survives the end of a worker thread that waits", { timeout: 60_000 }, async () => {
    const base = temporaryDirectory("lock");
    const path = join(base, "lock");
    const first = open(path);
    await lockFile(first, "exclusive", { wait: true });
    const program = bundleProgram(
      base,
      `const { openSync } = await import("node:fs");
       const { parentPort } = await import("node:worker_threads");
       const wait = runtime.lockFile(openSync(${JSON.stringify(path)}, "a"), "exclusive", { wait: true });
       parentPort?.postMessage("waiting");
       return wait;`,
    );
    for (let round = 0; round < 5; round++) {
      const worker = new Worker(program);
      await once(worker, "message");
      await worker.terminate();
    }
    close(first);
    const second = open(path);
    expect(await lockFile(second, "exclusive", { wait: true })).toBe(true);
  });
});
