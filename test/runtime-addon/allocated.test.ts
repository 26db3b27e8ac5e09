import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { allocatedBytes, removeTree } from "../../runtime-addon/index.ts";
import { makeDeepDirectory } from "../support/deep-directory.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const du = (path: string) => Number(execFileSync("du", ["-s", "--block-size=1", path], { encoding: "utf8" }).split("\t")[0]);

describe("allocatedBytes", () => {
  it.each<[name: string, make: (root: string) => void]>([
    ["an empty directory", () => undefined],
    [
      "files, directories and names that are no text",
      (root) => {
        mkdirSync(join(root, "a/b"), { recursive: true });
        writeFileSync(join(root, "a/b/c"), Buffer.alloc(100_000));
        writeFileSync(Buffer.concat([Buffer.from(`${root}/a/`), Buffer.from([0xff])]), "x".repeat(5000));
      },
    ],
    [
      "a file with several names, which counts once",
      (root) => {
        writeFileSync(join(root, "a"), Buffer.alloc(50_000));
        for (const name of ["b", "c"]) linkSync(join(root, "a"), join(root, name));
      },
    ],
    [
      "a sparse file, which counts with what it has",
      (root) => {
        writeFileSync(join(root, "a"), "x");
        truncateSync(join(root, "a"), 2 ** 40);
      },
    ],
    ["a symlink to a directory, which is not followed", (root) => symlinkSync("/usr", join(root, "a"))],
    [
      "more directories in each other than are kept open, with others behind them",
      (root) => {
        const deep = join(root, ...Array<string>(300).fill("d"));
        mkdirSync(deep, { recursive: true });
        for (const name of ["a", "e"]) {
          mkdirSync(join(root, "d/d", name));
          writeFileSync(join(root, "d/d", name, "file"), Buffer.alloc(10_000));
        }
      },
    ],
  ])("counts what du counts: %s", async (_, make) => {
    const root = temporaryDirectory("allocated");
    make(root);
    expect(await allocatedBytes(root)).toEqual({ bytes: du(root) });
  });

  it("counts what lies deeper than a path can say", async () => {
    const root = temporaryDirectory("allocated");
    try {
      makeDeepDirectory(root, "x".repeat(30_000), { levels: 100 });
      const counted = du(root);
      expect(await allocatedBytes(root)).toEqual({ bytes: counted });
      expect(counted).toBeGreaterThan(30_000);
    } finally {
      await removeTree(root);
    }
  });

  it("is nothing for what is missing, and what a file takes for a file", async () => {
    const root = temporaryDirectory("allocated");
    const file = join(root, "file");
    writeFileSync(file, "x".repeat(5000));
    expect([await allocatedBytes(join(root, "none")), await allocatedBytes(file)]).toEqual([{ bytes: 0 }, { bytes: du(file) }]);
  });
});
