import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { digestOf } from "../../store/digest.ts";
import { openLease, removeStale } from "../../store/lease.ts";
import { withLock } from "../../store/lock.ts";
import { openStore } from "../../store/store.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { ended, storeProgram } from "./store-process.ts";

let root: string;
beforeEach(async () => {
  root = join(temporaryDirectory("lease"), "store");
  await (await openStore(root)).close();
});

const isLocked = (path: string) => spawnSync("flock", ["--nonblock", "--exclusive", path, "true"]).status === 1;

describe("a lease", () => {
  it("is a locked file that lists what is pinned, each digest once", async () => {
    const lease = await openLease(root);
    const file = join(root, "v1/leases", lease.id);
    const [a, b] = [digestOf("a"), digestOf("b")];
    await lease.pin(a, b);
    await lease.pin(b, a);
    expect(readFileSync(file, "utf8")).toBe(`${a}\n${b}\n`);
    expect(isLocked(file)).toBe(true);
    await lease.close();
    await lease.close();
    expect(readdirSync(join(root, "v1/leases"))).toEqual([]);
  });

  it("takes its temp directories with it", async () => {
    const lease = await openLease(root);
    const first = lease.temp("run");
    expect(lease.temp("run")).not.toBe(first);
    mkdirSync(join(first, "a/b"), { recursive: true });
    writeFileSync(join(first, "a/b/c"), "x");
    await lease.close();
    expect(readdirSync(join(root, "v1/tmp"))).toEqual([]);
    expect(() => lease.tempFile("late")).toThrow("is closed");
  });

  it("waits for the collector before it pins", async () => {
    await using lease = await openLease(root);
    const order: string[] = [];
    let pinning: Promise<void> | undefined;
    await withLock(join(root, "v1/lock"), "exclusive", async () => {
      pinning = lease.pin(digestOf("a")).then(() => void order.push("pinned"));
      await new Promise((resolve) => setTimeout(resolve, 50));
      order.push("collected");
    });
    await pinning;
    expect(order).toEqual(["collected", "pinned"]);
  });
});

describe("what a killed process leaves", () => {
  it("goes at the next process's first temp file; what lives stays", async () => {
    const directory = temporaryDirectory("program");
    const program = storeProgram(
      directory,
      `import { openStore } from "store/store.ts";
       const store = await openStore(process.argv[2]);
       console.log(await store.temp("run"));
       setInterval(() => {}, 1000);`,
    );
    const child = program.start(root);
    const end = ended(child);
    const path = await new Promise<string>((resolve) => child.stdout.once("data", (text: string) => resolve(text.trim())));
    await using living = await openLease(root);
    const livingTemp = living.temp("keep");

    await using store = await openStore(root);
    await store.temp("mine");
    await removeStale(root);
    expect(existsSync(path)).toBe(true);

    child.kill("SIGKILL");
    expect((await end).signal).toBe("SIGKILL");
    await removeStale(root);
    expect(existsSync(path)).toBe(false);
    expect(existsSync(livingTemp)).toBe(true);
    expect(readdirSync(join(root, "v1/leases"))).toHaveLength(2);
  });

  it("goes also when its lease is gone already", async () => {
    mkdirSync(join(root, "v1/tmp/0123456789abcdef/run-1"), { recursive: true });
    const store = await openStore(root);
    await store.temp("mine");
    await store.close();
    expect(readdirSync(join(root, "v1/tmp"))).toEqual([]);
  });
});

describe("withLock", () => {
  it("lets readers together and writers alone", async () => {
    const path = join(root, "x.lock");
    let inside = 0;
    let most = 0;
    const enter = async () => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setTimeout(resolve, 20));
      inside -= 1;
    };
    await Promise.all(Array.from({ length: 4 }, () => withLock(path, "exclusive", enter)));
    expect(most).toBe(1);
    await Promise.all(Array.from({ length: 4 }, () => withLock(path, "shared", enter)));
    expect(most).toBe(4);
  });

  it("gives up waiting when aborted, and leaves the lock usable", async () => {
    const path = join(root, "x.lock");
    await withLock(path, "exclusive", async () => {
      await expect(withLock(path, "shared", () => "got it", { signal: AbortSignal.timeout(30) })).rejects.toMatchObject({
        name: "TimeoutError",
      });
    });
    expect(await withLock(path, "exclusive", () => "free")).toBe("free");
  });
});
