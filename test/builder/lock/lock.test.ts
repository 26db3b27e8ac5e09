import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Lock, openLock } from "../../../builder/lock/lock.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { thrown } from "../cli/thrown.ts";

const amd64 = { os: "linux", architecture: "amd64" };
const arm64 = { os: "linux", architecture: "arm64" };
const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const commit = (digit: string) => digit.repeat(40);

const newFile = () => join(temporaryDirectory("lock"), "app.lock");

/** Writes a file as a build that takes these things does. */
async function write(file: string, take: (lock: Lock) => void, isWhole = true): Promise<void> {
  const lock = await openLock({ file, locked: false }, false);
  take(lock);
  await lock.save({ isWhole });
}

const read = (file: string) => JSON.parse(readFileSync(file, "utf8")) as unknown;

function takeAll(lock: Lock): void {
  lock.image("debian", amd64, digest("1"));
  lock.git("https://host/lib.git", undefined, commit("a"));
  lock.git("https://host/lib.git", "v1", commit("b"));
  lock.http("https://host/tool.tgz", digest("2"));
}

describe("a lock file that is written", () => {
  it("has what the build took", async () => {
    const file = newFile();
    await write(file, takeAll);
    expect(read(file)).toEqual({
      version: 1,
      images: { "docker.io/library/debian:latest": { "linux/amd64": digest("1") } },
      git: { "https://host/lib.git": { HEAD: commit("a"), v1: commit("b") } },
      http: { "https://host/tool.tgz": digest("2") },
    });
    expect(readdirSync(join(file, ".."))).toEqual(["app.lock"]);
  });

  it("is written when the build says so, and not before", async () => {
    const file = newFile();
    takeAll(await openLock({ file, locked: false }, false));
    expect(existsSync(file)).toBe(false);
  });

  it("loses what the build did not take, but keeps other platforms of an image that it took", async () => {
    const file = newFile();
    await write(file, (lock) => {
      takeAll(lock);
      lock.image("alpine", amd64, digest("3"));
    });
    await write(file, (lock) => lock.image("docker.io/library/debian", arm64, digest("4")));
    expect(read(file)).toEqual({
      version: 1,
      images: { "docker.io/library/debian:latest": { "linux/amd64": digest("1"), "linux/arm64": digest("4") } },
    });
  });

  it("loses nothing where not all was asked for", async () => {
    const file = newFile();
    await write(file, takeAll);
    await write(file, (lock) => lock.http("https://host/tool.tgz", digest("9")), false);
    expect(read(file)).toEqual({
      version: 1,
      images: { "docker.io/library/debian:latest": { "linux/amd64": digest("1") } },
      git: { "https://host/lib.git": { HEAD: commit("a"), v1: commit("b") } },
      http: { "https://host/tool.tgz": digest("9") },
    });
  });

  it("keeps what a build for another platform wrote meanwhile", async () => {
    const file = newFile();
    const lock = await openLock({ file, locked: false }, false);
    lock.image("debian", amd64, digest("1"));
    await write(file, (other) => other.image("debian", arm64, digest("2")));
    await lock.save({ isWhole: true });
    expect(read(file)).toEqual({
      version: 1,
      images: { "docker.io/library/debian:latest": { "linux/amd64": digest("1"), "linux/arm64": digest("2") } },
    });
  });

  it("takes what is there now for what was there before", async () => {
    const file = newFile();
    await write(file, (lock) => lock.http("https://host/x", digest("1")));
    await write(file, (lock) => lock.http("https://host/x", digest("2")));
    expect(read(file)).toEqual({ version: 1, http: { "https://host/x": digest("2") } });
  });

  it("is not touched when nothing changed", async () => {
    const file = newFile();
    await write(file, takeAll);
    utimesSync(file, 1000, 1000);
    await write(file, takeAll);
    expect(statSync(file).mtimeMs).toBe(1_000_000);
  });

  it("stays a symlink where it is one", async () => {
    const directory = temporaryDirectory("lock");
    const [link, target] = [join(directory, "link"), join(directory, "target")];
    writeFileSync(target, '{"version": 1}');
    symlinkSync("target", link);
    await write(link, takeAll);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(read(target)).toMatchObject({ git: {} });
  });

  it("holds no password and no token", async () => {
    const file = newFile();
    await write(file, (lock) => lock.http("https://user:hunter2@host/x?token=hunter3#hunter4", digest("1")));
    expect(readFileSync(file, "utf8")).not.toContain("hunter");
  });

  it.each<[name: string, file: (directory: string) => string, code: string, problem: string]>([
    ["another file", (directory) => join(directory, "Dockerfile"), "LOCK_INVALID", "line 1: here should be a value"],
    ["a directory", (directory) => directory, "LOCK_INVALID", "it is a directory"],
    ["a FIFO", (directory) => join(directory, "fifo"), "LOCK_INVALID", "it is no regular file"],
    ["bytes", (directory) => join(directory, "bytes"), "LOCK_INVALID", "it is not UTF-8"],
    ["a large file", (directory) => join(directory, "large"), "LOCK_INVALID", "it is larger than 4194304 bytes, and so is no lock file"],
  ])("does not replace %s", async (_name, path, code, problem) => {
    const directory = temporaryDirectory("lock");
    writeFileSync(join(directory, "Dockerfile"), "FROM scratch\n");
    writeFileSync(join(directory, "bytes"), Buffer.from([0x22, 0xff, 0x22]));
    writeFileSync(join(directory, "large"), Buffer.alloc(5 * 2 ** 20, " "));
    execFileSync("mkfifo", [join(directory, "fifo")]);
    const file = path(directory);
    await expect(openLock({ file, locked: false }, false)).rejects.toMatchObject({
      code,
      message: `reading the lock file ${file}: ${problem}`,
      hint: `${file} is no lock file, and would be replaced: name another`,
    });
  });

  it("keeps what a lock file that cannot be read says better itself", async () => {
    const file = newFile();
    writeFileSync(file, '{ "version": 2 }');
    await expect(openLock({ file, locked: false }, false)).rejects.toMatchObject({
      code: "LOCK_INVALID",
      hint: "a later version of this program wrote it: use that one",
    });
    writeFileSync(file, "FROM scratch\n");
    await expect(openLock({ file, locked: true }, false)).rejects.toMatchObject({ code: "LOCK_INVALID", hint: undefined });
  });

  it("is refused before the build where there is no directory for it", async () => {
    const file = join(temporaryDirectory("lock"), "missing", "app.lock");
    await expect(openLock({ file, locked: false }, false)).rejects.toMatchObject({ code: "WRITE_FAILED" });
  });

  it("is not left half written when it cannot be written", async () => {
    const file = newFile();
    const lock = await openLock({ file, locked: false }, false);
    takeAll(lock);
    mkdirSync(file);
    await expect(lock.save({ isWhole: true })).rejects.toMatchObject({ code: "LOCK_INVALID" });
    expect(readdirSync(join(file, ".."))).toEqual(["app.lock"]);
  });
});

describe("a locked build", () => {
  const locked = async (take: (lock: Lock) => void = takeAll) => {
    const file = newFile();
    await write(file, take);
    return { file, lock: await openLock({ file, locked: true }, false) };
  };

  it("takes what is locked, and writes nothing", async () => {
    const { file, lock } = await locked();
    const before = readFileSync(file, "utf8");
    utimesSync(file, 1000, 1000);
    takeAll(lock);
    lock.image("docker.io/library/debian:latest", amd64, digest("1"));
    await lock.save({ isWhole: true });
    expect([readFileSync(file, "utf8"), statSync(file).mtimeMs]).toEqual([before, 1_000_000]);
  });

  const accept = (file: string) => `if that is meant, accept it: --lock ${file} without --locked and --hermetic writes what is there now`;
  const add = (file: string) => `--lock ${file} without --locked and --hermetic writes it`;

  it.each<[name: string, take: (lock: Lock) => void, code: string, message: (file: string) => string, hint: (file: string) => string]>([
    [
      "an image that is another one now",
      (lock) => lock.image("debian", amd64, digest("9")),
      "LOCK_DRIFT",
      (file) =>
        `checking image "docker.io/library/debian:latest" (linux/amd64) against the lock file ${file}: locked is ${digest("1")}, and now it is ${digest("9")}`,
      accept,
    ],
    [
      "a branch that moved",
      (lock) => lock.git("https://host/lib.git", "v1", commit("9")),
      "LOCK_DRIFT",
      (file) => `checking https://host/lib.git (v1) against the lock file ${file}: locked is ${commit("b")}, and now it is ${commit("9")}`,
      accept,
    ],
    [
      "a HEAD that moved",
      (lock) => lock.git("https://host/lib.git", "HEAD", commit("9")),
      "LOCK_DRIFT",
      (file) =>
        `checking https://host/lib.git (HEAD) against the lock file ${file}: locked is ${commit("a")}, and now it is ${commit("9")}`,
      accept,
    ],
    [
      "a file that changed",
      (lock) => lock.http("https://host/tool.tgz", digest("9")),
      "LOCK_DRIFT",
      (file) => `checking https://host/tool.tgz against the lock file ${file}: locked is ${digest("2")}, and now it is ${digest("9")}`,
      accept,
    ],
    [
      "an image that is not there",
      (lock) => lock.image("alpine", amd64, digest("9")),
      "NOT_LOCKED",
      (file) =>
        `checking image "docker.io/library/alpine:latest" (linux/amd64): the lock file ${file} does not have it; now it is ${digest("9")}`,
      add,
    ],
    [
      "another platform of an image",
      (lock) => lock.image("debian", arm64, digest("9")),
      "NOT_LOCKED",
      (file) =>
        `checking image "docker.io/library/debian:latest" (linux/arm64): the lock file ${file} has it for linux/amd64 only; now it is ${digest("9")}`,
      add,
    ],
    [
      "another ref of a repository",
      (lock) => lock.git("https://host/lib.git", "main", commit("9")),
      "NOT_LOCKED",
      (file) => `checking https://host/lib.git (main): the lock file ${file} has it for HEAD, v1 only; now it is ${commit("9")}`,
      add,
    ],
    [
      "another query of a URL, which is not shown",
      (lock) => lock.http("https://host/tool.tgz?token=secret", digest("9")),
      "NOT_LOCKED",
      (file) => `checking https://host/tool.tgz?sha256:f3ac97547a318f4d: the lock file ${file} does not have it; now it is ${digest("9")}`,
      add,
    ],
  ])("refuses %s", async (_name, take, code, message, hint) => {
    const { file, lock } = await locked();
    expect(thrown(() => take(lock))).toMatchObject({ code, message: message(file), hint: hint(file) });
  });

  it("has nothing where the file is missing", async () => {
    const file = newFile();
    const lock = await openLock({ file, locked: true }, false);
    expect(thrown(() => lock.image("debian", amd64, digest("1")))).toMatchObject({
      code: "NOT_LOCKED",
      message: `checking image "docker.io/library/debian:latest" (linux/amd64): there is no lock file ${file}; now it is ${digest("1")}`,
    });
    await lock.save({ isWhole: true });
    expect(existsSync(file)).toBe(false);
  });

  it("says on which line the file is wrong", async () => {
    const file = newFile();
    writeFileSync(file, '{\n  "version": 1,\n  "images": {\n    "x": {\n      "linux/amd64": "latest"\n    }\n  }\n}\n');
    await expect(openLock({ file, locked: true }, false)).rejects.toMatchObject({
      code: "LOCK_INVALID",
      message: `reading the lock file ${file}: line 5: "latest" is no digest (sha256: and 64 hex digits)`,
    });
  });
});

describe("a hermetic build", () => {
  it("is locked whatever else is said", async () => {
    const file = newFile();
    await write(file, takeAll);
    const lock = await openLock({ file, locked: false }, true);
    expect(() => lock.image("debian", amd64, digest("9"))).toThrow("locked is");
    await lock.save({ isWhole: true });
    expect(read(file)).toMatchObject({ images: { "docker.io/library/debian:latest": { "linux/amd64": digest("1") } } });
  });

  it("without a lock file takes nothing from elsewhere", async () => {
    const lock = await openLock(undefined, true);
    expect(thrown(() => lock.http("https://host/x", digest("1")))).toEqual(
      expect.objectContaining({
        code: "NOT_LOCKED",
        message: `checking https://host/x: a hermetic build takes only what is locked, and it has no lock file; now it is ${digest("1")}`,
        hint: "--lock FILE without --locked and --hermetic writes it",
      }),
    );
  });
});

describe("a build without a lock", () => {
  it("says what it took", async () => {
    const lock = await openLock(undefined, false);
    takeAll(lock);
    takeAll(lock);
    await lock.save({ isWhole: true });
    expect(lock.entries()).toEqual([
      { kind: "images", name: "docker.io/library/debian:latest", of: "linux/amd64", value: digest("1") },
      { kind: "git", name: "https://host/lib.git", of: "HEAD", value: commit("a") },
      { kind: "git", name: "https://host/lib.git", of: "v1", value: commit("b") },
      { kind: "http", name: "https://host/tool.tgz", of: "", value: digest("2") },
    ]);
  });

  it("cannot have two images of one name (a tag that moves meanwhile)", async () => {
    const lock = await openLock(undefined, false);
    lock.image("debian", amd64, digest("1"));
    expect(thrown(() => lock.image("docker.io/library/debian", amd64, digest("2")))).toMatchObject({
      code: "LOCK_DRIFT",
      message: `checking image "docker.io/library/debian:latest" (linux/amd64): first it was ${digest("1")}, and now it is ${digest("2")}`,
      hint: "it changed while the build went on: build again",
    });
  });
});
