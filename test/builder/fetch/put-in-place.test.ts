import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { putInPlace } from "../../../builder/fetch/put-in-place.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

function site() {
  const top = temporaryDirectory();
  const made = join(top, "made");
  const root = join(top, "root");
  const outside = join(top, "outside");
  for (const path of [join(made, "sub"), join(root, "a/b"), join(root, "c"), join(root, "full/f"), join(outside, "b")]) {
    mkdirSync(path, { recursive: true });
  }
  writeFileSync(join(root, "file"), "");
  symlinkSync(outside, join(root, "link"));
  symlinkSync("a", join(root, "inner"));
  return { made, root, outside };
}

it.each(["c", "a/b"])("puts a directory in the place of an empty one: %s", (path) => {
  const { made, root } = site();
  expect(putInPlace(made, root, path)).toBe(true);
  expect(readdirSync(join(root, path))).toEqual(["sub"]);
  expect(existsSync(made)).toBe(false);
});

it.each([
  ["nothing is above it", "none/x"],
  ["a file is there", "file"],
  ["a file is above it", "file/x"],
  ["a directory with something in it is there", "full"],
  ["a link out of the root is there", "link"],
  ["a link out of the root is above it", "link/b"],
  ["a link within the root is above it", "inner/b"],
  ["the path leads upwards", "../outside/b"],
  ["the path leads upwards at its end", "a/b/.."],
  ["the path is the root", "."],
  ["the path is absolute", "/a/b"],
  ["the path is empty", ""],
])("does nothing where %s", (_why, path) => {
  const { made, root, outside } = site();
  expect(putInPlace(made, root, path)).toBe(false);
  expect(readdirSync(made)).toEqual(["sub"]);
  expect(readdirSync(outside)).toEqual(["b"]);
  expect(readdirSync(join(outside, "b"))).toEqual([]);
});
