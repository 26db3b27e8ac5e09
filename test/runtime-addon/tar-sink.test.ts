import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bytesOf, FileChangedError, openTarSink, type TarPiece } from "../../runtime-addon/index.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { bundleProgram } from "./bundled.ts";

const sha256 = (...parts: readonly Uint8Array[]) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
};
const padded = (content: Uint8Array) => Buffer.concat([content, Buffer.alloc((512 - (content.length % 512)) % 512)]);

/** Bytes that differ at every place where chunks could be exchanged. */
function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}

describe("openTarSink", () => {
  it("joins bytes, padded files and padded ranges, and hashes each and all", async () => {
    const root = temporaryDirectory("sink");
    const target = join(root, "out");
    mkdirSync(join(root, "in/sub"), { recursive: true });
    writeFileSync(join(root, "in/sub/a"), "content of a");
    writeFileSync(join(root, "in/empty"), "");
    writeFileSync(join(root, "in/block"), Buffer.alloc(512, "b"));
    writeFileSync(join(root, "other.tar"), "0123456789");
    const sink = openTarSink(target);
    const first = await sink.write([
      { bytes: Buffer.from("header") },
      { root: join(root, "in"), path: bytesOf("sub/a"), size: 12 },
      { root: join(root, "in"), path: bytesOf("empty"), size: 0 },
      { bytes: new Uint8Array(0) },
      { tar: join(root, "other.tar"), offset: 3, size: 4 },
      { root: join(root, "in/sub"), path: bytesOf("a"), size: 12 },
    ]);
    expect(first.toString("hex")).toBe(
      [Buffer.from("content of a"), Buffer.alloc(0), Buffer.from("3456"), Buffer.from("content of a")].map((part) => sha256(part)).join(""),
    );
    expect(await sink.write([])).toHaveLength(0);
    expect((await sink.write([{ root: join(root, "in"), path: bytesOf("block"), size: 512 }])).toString("hex")).toBe(
      sha256(Buffer.alloc(512, "b")),
    );
    const expected = Buffer.concat([
      Buffer.from("header"),
      padded(Buffer.from("content of a")),
      padded(Buffer.from("3456")),
      padded(Buffer.from("content of a")),
      Buffer.alloc(512, "b"),
    ]);
    expect(await sink.finish({ sync: true })).toEqual({ digest: sha256(expected), size: expected.length });
    expect(readFileSync(target)).toEqual(expected);
    expect(statSync(target).mode & 0o7777).toBe(0o644);
  });

  it("writes more than its ring holds, over several calls, across chunk borders", async () => {
    const root = temporaryDirectory("sink");
    const chunk = 256 * 1024;
    const sizes = [chunk - 512, 1, chunk, chunk + 1, 6 * 1024 * 1024 + 13, 511, 512, 513, 2 * chunk - 1];
    const contents = sizes.map((size, i) => noise(size, i));
    for (const [i, content] of contents.entries()) writeFileSync(join(root, `f${i}`), content);
    const sink = openTarSink(join(root, "out"));
    const hash = createHash("sha256");
    let size = 0;
    for (let round = 0; round < 3; round++) {
      const header = noise(700 + round, 99);
      const pieces: TarPiece[] = [{ bytes: header }];
      hash.update(header);
      size += header.length;
      for (const [i, content] of contents.entries()) {
        pieces.push(
          (i + round) % 3 === 0
            ? { tar: join(root, `f${i}`), offset: 0, size: content.length }
            : { root, path: bytesOf(`f${i}`), size: content.length },
        );
        hash.update(padded(content));
        size += padded(content).length;
      }
      expect((await sink.write(pieces)).toString("hex")).toBe(contents.map((content) => sha256(content)).join(""));
    }
    const digest = hash.digest("hex");
    expect(await sink.finish({ sync: false })).toEqual({ digest, size });
    expect(execFileSync("sha256sum", [join(root, "out")], { encoding: "utf8" }).slice(0, 64)).toBe(digest);
  });

  it("gives an empty file the digest of nothing", async () => {
    const root = temporaryDirectory("sink");
    const sink = openTarSink(join(root, "out"));
    expect(await sink.finish({ sync: false })).toEqual({
      digest: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      size: 0,
    });
    expect(statSync(join(root, "out")).size).toBe(0);
  });

  it("refuses a path that exists, also as a dangling symlink", () => {
    const root = temporaryDirectory("sink");
    writeFileSync(join(root, "file"), "kept");
    symlinkSync("elsewhere", join(root, "link"));
    for (const name of ["file", "link"]) {
      expect(() => openTarSink(join(root, name))).toThrow(`EEXIST: file already exists, open '${root}/${name}'`);
    }
    expect(readFileSync(join(root, "file"), "utf8")).toBe("kept");
    expect(existsSync(join(root, "elsewhere"))).toBe(false);
  });

  it("removes the file on abort, at any time, and leaves a finished one alone", async () => {
    const root = temporaryDirectory("sink");
    const fresh = openTarSink(join(root, "fresh"));
    await fresh.abort();
    await fresh.abort();
    const begun = openTarSink(join(root, "begun"));
    await begun.write([{ bytes: Buffer.alloc(1_000_000) }]);
    await begun.abort();
    await expect(begun.write([])).rejects.toThrow("the tar sink is closed");
    await expect(begun.finish({ sync: false })).rejects.toThrow("the tar sink is closed");
    const finished = openTarSink(join(root, "finished"));
    await finished.finish({ sync: false });
    await finished.abort();
    expect(["fresh", "begun", "finished"].map((name) => existsSync(join(root, name)))).toEqual([false, false, true]);
  });

  it("does one thing at a time", async () => {
    const root = temporaryDirectory("sink");
    const sink = openTarSink(join(root, "out"));
    const writing = sink.write([{ bytes: Buffer.alloc(100_000) }]);
    await expect(sink.write([])).rejects.toThrow("the tar sink is still at work");
    await expect(sink.abort()).rejects.toThrow("the tar sink is still at work");
    await writing;
    expect((await sink.finish({ sync: false })).size).toBe(100_000);
  });

  describe("of input that is not what it was", () => {
    const cases: readonly (readonly [string, (root: string) => TarPiece, string])[] = [
      ["a file that has grown", (root) => ({ root, path: bytesOf("file"), size: 9 }), "expected 9 bytes, found 10"],
      ["a file that was cut", (root) => ({ root, path: bytesOf("file"), size: 11 }), "expected 11 bytes, found 10"],
      ["a directory in a file's place", (root) => ({ root, path: bytesOf("directory"), size: 10 }), "it is not a regular file"],
      ["a FIFO in a file's place", (root) => ({ root, path: bytesOf("pipe"), size: 0 }), "it is not a regular file"],
    ];
    it.each(cases)("refuses %s, and everything after it but abort", async (_name, piece, reason) => {
      const root = temporaryDirectory("sink");
      writeFileSync(join(root, "file"), "0123456789");
      mkdirSync(join(root, "directory"));
      execFileSync("mkfifo", [join(root, "pipe")]);
      const sink = openTarSink(join(root, "out"));
      const error = await sink.write([{ bytes: Buffer.from("x") }, piece(root)]).catch((failure) => failure);
      expect(error).toBeInstanceOf(FileChangedError);
      expect(error.code).toBe("FILE_CHANGED");
      expect(error.message).toMatch(new RegExp(`^reading ${root}/\\w+: file changed: ${reason}$`));
      await expect(sink.write([])).rejects.toBeInstanceOf(FileChangedError);
      await expect(sink.finish({ sync: false })).rejects.toBeInstanceOf(FileChangedError);
      await sink.abort();
      expect(existsSync(join(root, "out"))).toBe(false);
    });

    it("refuses a range past the end of its tar", async () => {
      const root = temporaryDirectory("sink");
      writeFileSync(join(root, "tar"), "0123456789");
      const sink = openTarSink(join(root, "out"));
      await expect(sink.write([{ tar: join(root, "tar"), offset: 8, size: 4 }])).rejects.toMatchObject({
        code: "FILE_CHANGED",
        path: join(root, "tar"),
        message: `reading ${root}/tar: file changed: it ends at byte 10, 2 bytes too early`,
      });
      await sink.abort();
    });

    it.each([
      ["a symlink", "link", "ELOOP", "open"],
      ["a symlink on the way", "up/secret", "ELOOP", "open"],
      ["..", "../secret", "EINVAL", "open"],
      ["a missing file", "missing", "ENOENT", "open"],
    ])("does not read through %s", async (_name, path, code, syscall) => {
      const outside = temporaryDirectory("outside");
      writeFileSync(join(outside, "secret"), "secret");
      const root = temporaryDirectory("sink");
      symlinkSync(join(outside, "secret"), join(root, "link"));
      symlinkSync(outside, join(root, "up"));
      const sink = openTarSink(join(root, "out"));
      await expect(sink.write([{ root, path: bytesOf(path), size: 6 }])).rejects.toMatchObject({ code, syscall, path: `${root}/${path}` });
      await sink.abort();
    });

    it("never packs a torn length while a file is cut and grown again and again", async () => {
      const root = temporaryDirectory("sink");
      const size = 2_000_000;
      writeFileSync(join(root, "file"), Buffer.alloc(size, 1));
      let outcomes = 0;
      for (let round = 0; round < 30; round++) {
        const sink = openTarSink(join(root, `out${round}`));
        const writing = sink.write([{ root, path: bytesOf("file"), size }]);
        truncateSync(join(root, "file"), 1000 * round);
        truncateSync(join(root, "file"), size);
        const outcome = await writing.then(
          () => sink.finish({ sync: false }),
          (error) => error,
        );
        if (outcome instanceof FileChangedError) await sink.abort();
        else expect(outcome.size).toBe(padded(Buffer.alloc(size)).length);
        outcomes++;
      }
      expect(outcomes).toBe(30);
    });
  });
});

describe("openTarSink when writing fails", () => {
  const body = `
    const sink = runtime.openTarSink(args[0]);
    try {
      for (let i = 0; i < 8; i++) await sink.write([{ root: args[1], path: args[2] as runtime.ByteString, size: Number(args[3]) }]);
      return (await sink.finish({ sync: false })).size;
    } catch (error) {
      await sink.abort();
      throw error;
    }`;
  const size = 1_500_000;

  function prepare() {
    const root = temporaryDirectory("sink");
    const program = bundleProgram(root, body);
    writeFileSync(join(root, "file"), noise(size, 1));
    mkdirSync(join(root, "full"));
    return { root, arguments: [process.execPath, program, join(root, "full/out"), root, "file", String(size)] };
  }

  it("says EFBIG at the process's file size limit", () => {
    const { root, arguments: args } = prepare();
    const outcome = JSON.parse(execFileSync("sh", ["-c", 'ulimit -f 4096; exec "$@"', "sh", ...args], { encoding: "utf8" }));
    expect(outcome).toEqual({ error: { code: "EFBIG", errno: -27, syscall: "write", path: join(root, "full/out") } });
    expect(existsSync(join(root, "full/out"))).toBe(false);
  });

  it("says ENOSPC on a full file system, and frees it on abort", needs("privateMounts"), () => {
    const { root, arguments: args } = prepare();
    const script = `mount -t tmpfs -o size=4m none "$1"; shift; "$@"; ls "${root}/full" | wc -l`;
    const [outcome = "", left = ""] = execFileSync("unshare", ["--mount", "sh", "-ec", script, "sh", join(root, "full"), ...args], {
      encoding: "utf8",
    }).split("\n");
    expect(JSON.parse(outcome)).toEqual({ error: { code: "ENOSPC", errno: -28, syscall: "write", path: join(root, "full/out") } });
    expect(left.trim()).toBe("0");
  });
});
