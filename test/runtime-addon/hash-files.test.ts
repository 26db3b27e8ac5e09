import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bytesOf, FileChangedError, hashFiles, TsbuildError } from "../../runtime-addon/index.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const hexOf = (digests: Buffer) =>
  Array.from({ length: digests.length / 32 }, (_, i) => digests.subarray(i * 32, i * 32 + 32).toString("hex"));

describe("hashFiles", () => {
  it("hashes as sha256sum(1) does, in the given order, whatever the number of files", async () => {
    const root = temporaryDirectory("hash");
    const names: string[] = [];
    for (let i = 0; i < 500; i++) {
      const directory = `d${i % 7}`;
      mkdirSync(join(root, directory), { recursive: true });
      names.push(`${directory}/f${i}`);
      writeFileSync(join(root, `${directory}/f${i}`), Buffer.alloc((i * 7919) % 300_000, i));
    }
    const sums = execFileSync("sha256sum", names, { cwd: root, encoding: "utf8" }).trimEnd().split("\n");
    expect(hexOf(await hashFiles(root, names.map(bytesOf)))).toEqual(sums.map((line) => line.slice(0, 64)));
    const few = names.slice(0, 3).reverse();
    expect(hexOf(await hashFiles(root, few.map(bytesOf)))).toEqual([sums[2], sums[1], sums[0]].map((line) => line?.slice(0, 64)));
    expect(await hashFiles(root, [])).toHaveLength(0);
  });

  it("hashes a file that is larger than its buffer, and an empty one", async () => {
    const root = temporaryDirectory("hash");
    const content = Buffer.alloc(3_000_001, "tsbuild");
    writeFileSync(join(root, "large"), content);
    writeFileSync(join(root, "empty"), "");
    expect(hexOf(await hashFiles(root, [bytesOf("large"), bytesOf("empty")]))).toEqual([
      createHash("sha256").update(content).digest("hex"),
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ]);
  });

  it("names the first path that cannot be read", async () => {
    const root = temporaryDirectory("hash");
    const names = Array.from({ length: 200 }, (_, i) => `f${i}`);
    for (const name of names) if (name !== "f50" && name !== "f180") writeFileSync(join(root, name), name);
    const error = await hashFiles(root, names.map(bytesOf)).catch((reason) => reason);
    expect({ ...error }).toEqual({ code: "ENOENT", errno: -2, syscall: "open", path: `${root}/f50` });
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(TsbuildError);
  });

  it.each([
    ["a symlink", "link", "ELOOP"],
    ["a symlink on the way", "up/secret", "ELOOP"],
    ["..", "../secret", "EINVAL"],
    ["a missing parent", "none/file", "ENOENT"],
    ["a file as parent", "file/file", "ENOTDIR"],
  ])("does not read through %s", async (_name, path, code) => {
    const outside = temporaryDirectory("outside");
    writeFileSync(join(outside, "secret"), "");
    const root = temporaryDirectory("hash");
    writeFileSync(join(root, "file"), "");
    symlinkSync(join(outside, "secret"), join(root, "link"));
    symlinkSync(outside, join(root, "up"));
    await expect(hashFiles(root, [bytesOf(path)])).rejects.toMatchObject({ code });
  });

  it("does not wait at a FIFO, and calls it and a directory changed", async () => {
    const root = temporaryDirectory("hash");
    execFileSync("mkfifo", [join(root, "pipe")]);
    mkdirSync(join(root, "directory"));
    for (const name of ["pipe", "directory"]) {
      const error = await hashFiles(root, [bytesOf(name)]).catch((reason) => reason);
      expect(error).toBeInstanceOf(FileChangedError);
      expect(error).toMatchObject({
        code: "FILE_CHANGED",
        path: `${root}/${name}`,
        message: `reading ${root}/${name}: file changed: it is not a regular file`,
      });
    }
  });
});
