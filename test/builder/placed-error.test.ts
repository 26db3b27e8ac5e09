import { describe, expect, it } from "vitest";
import { DockerfileError } from "../../builder/dockerfile/errors.ts";
import { placedError } from "../../builder/placed-error.ts";
import { TsbuildError } from "../../store/errors.ts";

const source = { file: "Dockerfile", text: "FROM busybox\n" };
const range = { start: { line: 1, column: 1 }, end: { line: 1, column: 13 } };

function systemError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: it failed, write '${path}'`), { code, errno: -1, syscall: "write", path });
}

describe("placedError", () => {
  it.each([
    ["a full disk", systemError("ENOSPC", "/s/v1/tmp/probe"), "STORE_FULL"],
    ["another's store", systemError("EACCES", "/s"), "STORE_INACCESSIBLE"],
    ["no store", new TsbuildError("NOT_A_STORE", "opening the store /s: the directory is not empty and no store"), "NOT_A_STORE"],
  ])("blames no line for %s", (_, error, code) => {
    const placed = placedError(error, "/s", source, range);
    expect(placed).toMatchObject({ code });
    expect(placed).not.toBeInstanceOf(DockerfileError);
  });

  it.each([
    ["a layer that is larger than the room for it", new TsbuildError("STORE_FULL", "writing a layer"), "STORE_FULL"],
    ["a missing image", new TsbuildError("NOT_FOUND", "looking for busybox"), "NOT_FOUND"],
    ["a file that is not the store's", systemError("EACCES", "/context/x"), "SYSTEM_ERROR"],
  ])("says where %s is asked for", (_, error, code) => {
    expect(placedError(error, "/s", source, range)).toMatchObject({ code, file: "Dockerfile", range });
    expect(placedError(error, "/s", source, range)).toBeInstanceOf(DockerfileError);
  });
});
