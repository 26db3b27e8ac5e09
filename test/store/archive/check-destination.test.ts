import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { checkDestination, type DirectoryUse, type PathDestination } from "../../../store/archive/check-destination.ts";
import { thrown } from "../../builder/cli/thrown.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

let directory: string;
const at = (name: string) => join(directory, name);

beforeEach(() => {
  directory = temporaryDirectory("destination");
  mkdirSync(at("empty"));
  mkdirSync(at("full/inside"), { recursive: true });
  writeFileSync(at("file"), "old");
  execFileSync("mkfifo", [at("fifo")]);
  symlinkSync("file", at("to-file"));
  symlinkSync("new", at("to-new"));
  symlinkSync("no/new", at("to-nowhere"));
  symlinkSync("empty", at("to-empty"));
  symlinkSync("/dev/null", at("to-null"));
});

type Kind = "file" | "new" | "any";
const destination = (kind: Kind, name: string): readonly [PathDestination, DirectoryUse] =>
  kind === "file" ? [{ file: at(name) }, "new"] : [{ directory: at(name) }, kind];
const check = (kind: Kind, name: string) => {
  const [place, use] = destination(kind, name);
  checkDestination(place, "writing", use);
};

it.each(["/proc", "/sys"])("%s takes nothing, although root may write there", (kernels) => {
  for (const place of [{ file: `${kernels}/foo` }, { directory: `${kernels}/foo` }])
    expect(thrown(() => checkDestination(place, "writing"))).toMatchObject({
      code: "WRITE_FAILED",
      message: expect.stringMatching(
        /^writing: (?:\/\w+ is the kernel's own, and nothing can be made there|this user cannot write to|\/sys is on a file system that is read-only)/,
      ),
    });
});

describe("a destination that will do", () => {
  it.each<[kind: Kind, name: string]>([
    ["file", "new"],
    ["file", "file"],
    ["file", "fifo"],
    ["file", "to-file"],
    ["file", "to-new"],
    ["file", "to-null"],
    ["new", "new"],
    ["new", "new/below/it"],
    ["new", "empty"],
    ["new", "to-empty"],
    ["new", "to-new"],
    ["any", "new/below/it"],
    ["any", "empty"],
    ["any", "full"],
    ["any", "to-empty"],
  ])("%s %s is neither made nor changed", (kind, name) => {
    const before = readdirSync(directory, { recursive: true });
    check(kind, name);
    expect(readdirSync(directory, { recursive: true })).toEqual(before);
  });
});

describe("a destination that will not do", () => {
  it.each<[kind: Kind, name: string, message: string, code: string]>([
    ["file", "full", "writing: it is a directory", "NOT_A_FILE"],
    ["file", "no/new", "writing: there is no directory DIR/no", "WRITE_FAILED"],
    ["file", "to-nowhere", "writing: there is no directory DIR/no", "WRITE_FAILED"],
    ["file", "file/new", "writing: DIR/file is no directory", "WRITE_FAILED"],
    ["new", "file", "writing: it is no directory", "WRITE_FAILED"],
    ["new", "fifo", "writing: it is no directory", "WRITE_FAILED"],
    ["new", "full", "writing: the directory is not empty", "DESTINATION_EXISTS"],
    ["new", "file/new", "writing: DIR/file is no directory", "WRITE_FAILED"],
    ["new", "to-new/below", "writing: DIR/to-new is no directory", "WRITE_FAILED"],
    ["any", "file", "writing: it is no directory", "WRITE_FAILED"],
    ["any", "to-file", "writing: it is no directory", "WRITE_FAILED"],
    ["any", "file/new", "writing: DIR/file is no directory", "WRITE_FAILED"],
  ])("%s %s says why", (kind, name, message, code) => {
    expect(thrown(() => check(kind, name))).toMatchObject({ message: message.replaceAll("DIR", directory), code });
  });
});
