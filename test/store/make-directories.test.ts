import { readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { makeDirectories } from "../../store/make-directories.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory("directories");
});

describe("directories", () => {
  it("are made with those above them, and may be there", () => {
    for (const path of ["a/b/c", "a/b/c", "a/d"]) makeDirectories(join(directory, path));
    expect(readdirSync(directory, { recursive: true }).sort()).toEqual(["a", "a/b", "a/b/c", "a/d"]);
  });

  it.each<[name: string, path: () => string, code: string]>([
    ["where none can be made, which mkdir tries for ever", () => "/proc/none/at/all", "ENOENT"],
    ["below a file", () => join(directory, "file/sub"), "ENOTDIR"],
    ["behind a link to nowhere", () => join(directory, "link/sub"), "ENOENT"],
  ])("are refused %s", (_name, path, code) => {
    writeFileSync(join(directory, "file"), "");
    symlinkSync("nowhere/at/all", join(directory, "link"));
    expect(() => makeDirectories(path())).toThrow(expect.objectContaining({ code }));
  });
});
