import { chmodSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { withScratch } from "../../../store/archive/scratch-directory.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

function leave(directory: string, name: string, mode = 0o700): void {
  mkdirSync(join(directory, name, "some"), { recursive: true });
  writeFileSync(join(directory, name, "some/file"), "");
  chmodSync(join(directory, name), mode);
}

describe("a scratch directory", () => {
  it("is empty, its user's alone, and gone afterwards, also when the work fails", async () => {
    const directory = temporaryDirectory("scratch");
    const failing = withScratch(directory, async (path) => {
      expect([join(path, ".."), readdirSync(path)]).toEqual([directory, []]);
      writeFileSync(join(path, "file"), "");
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    expect(readdirSync(directory)).toEqual([]);
  });

  it("takes those of killed processes away, and those of living ones not", async () => {
    const directory = temporaryDirectory("scratch");
    leave(directory, ".tsbuild-0123456789ab");
    await withScratch(directory, async (outer) => {
      expect(readdirSync(directory)).toEqual([outer.slice(directory.length + 1)]);
      await withScratch(directory, async () => expect(readdirSync(directory)).toHaveLength(2));
      expect(existsSync(outer)).toBe(true);
    });
  });

  it.each<[name: string, make: (directory: string) => void, left: string]>([
    ["a name that is longer", (directory) => leave(directory, ".tsbuild-0123456789abc"), ".tsbuild-0123456789abc"],
    ["a name of other letters", (directory) => leave(directory, ".tsbuild-notes"), ".tsbuild-notes"],
    ["another mode", (directory) => leave(directory, ".tsbuild-0123456789ab", 0o755), ".tsbuild-0123456789ab"],
    ["a file", (directory) => writeFileSync(join(directory, ".tsbuild-0123456789ab"), ""), ".tsbuild-0123456789ab"],
    [
      "a symlink",
      (directory) => {
        leave(directory, "mine");
        symlinkSync("mine", join(directory, ".tsbuild-0123456789ab"));
      },
      "mine/some/file",
    ],
  ])("leaves what is the user's: %s", async (_name, make, left) => {
    const directory = temporaryDirectory("scratch");
    make(directory);
    await withScratch(directory, async () => undefined);
    expect(existsSync(join(directory, left))).toBe(true);
  });
});
