import { describe, expect, it } from "vitest";
import { TsbuildError } from "../../store/errors.ts";
import { nameSystemError } from "../../store/name-system-error.ts";

function systemError(code: string, path?: string, dest?: string): Error {
  const where = path === undefined ? "" : ` '${path}'`;
  return Object.assign(new Error(`${code}: it failed, write${where}`), {
    code,
    errno: -1,
    syscall: "write",
    ...(path === undefined ? {} : { path }),
    ...(dest === undefined ? {} : { dest }),
  });
}

describe("what the system refuses", () => {
  it.each<[name: string, error: Error, code: string, message: string]>([
    ["a full disk", systemError("ENOSPC", "/s/v1/x"), "STORE_FULL", "using the store /s: ENOSPC: it failed, write '/s/v1/x'"],
    ["a full disk under an open file", systemError("ENOSPC"), "STORE_FULL", "using the store /s: ENOSPC: it failed, write"],
    [
      "a full disk at the other end of a rename",
      systemError("ENOSPC", "/a", "/s/b"),
      "STORE_FULL",
      "using the store /s: ENOSPC: it failed, write '/a'",
    ],
    ["a quota", systemError("EDQUOT", "/s/x"), "STORE_FULL", "using the store /s: EDQUOT: it failed, write '/s/x'"],
    [
      "a quota, for which Node has no name",
      Object.assign(systemError("Unknown system error -122"), {
        errno: -122,
        message: "Unknown system error -122: Unknown system error -122, write",
      }),
      "STORE_FULL",
      "using the store /s: EDQUOT: disk quota exceeded, write",
    ],
    [
      "locks that a file system has not",
      Object.assign(systemError("Unknown system error -37"), {
        errno: -37,
        syscall: "flock",
        message: "Unknown system error -37: Unknown system error -37, flock",
      }),
      "STORE_UNSUITABLE",
      "using the store /s: ENOLCK: no locks available, flock",
    ],
    [
      "attributes that it has not",
      systemError("ENOTSUP", "/s/x"),
      "STORE_UNSUITABLE",
      "using the store /s: ENOTSUP: it failed, write '/s/x'",
    ],
    ["a server that forgot a file", systemError("ESTALE", "/s/x"), "STORE_FAILING", "using the store /s: ESTALE: it failed, write '/s/x'"],
    ["a read-only disk", systemError("EROFS", "/s/x"), "STORE_READ_ONLY", "using the store /s: EROFS: it failed, write '/s/x'"],
    ["another's store", systemError("EACCES", "/s"), "STORE_INACCESSIBLE", "using the store /s: EACCES: it failed, write '/s'"],
    [
      "a file that may not be changed",
      systemError("EPERM", "/s/x"),
      "STORE_INACCESSIBLE",
      "using the store /s: EPERM: it failed, write '/s/x'",
    ],
    ["a broken disk", systemError("EIO", "/s/x"), "STORE_FAILING", "using the store /s: EIO: it failed, write '/s/x'"],
    ["a file that is gone", systemError("ENOENT", "/s/x"), "STORE_DAMAGED", "using the store /s: ENOENT: it failed, write '/s/x'"],
    ["too many open files", systemError("EMFILE", "/x"), "TOO_MANY_FILES", "opening a file: EMFILE: it failed, write '/x'"],
    ["too many on the machine", systemError("ENFILE"), "TOO_MANY_FILES", "opening a file: ENFILE: it failed, write"],
  ])("has a name and a hint: %s", (_name, error, code, message) => {
    const named = nameSystemError(error, "/s");
    expect(named).toBeInstanceOf(TsbuildError);
    expect(named).toMatchObject({ code, message, cause: error, hint: expect.stringMatching(/./) });
  });

  it.each<[name: string, error: Error, root: string | undefined]>([
    ["outside of the store", systemError("ENOSPC", "/tmp/x"), "/s"],
    ["beside the store", systemError("EACCES", "/store/x"), "/s"],
    ["where there is no store", systemError("EROFS"), undefined],
    ["of an open file that need not be the store's", systemError("EACCES"), "/s"],
  ])("has a name %s", (_name, error, root) => {
    expect(nameSystemError(error, root)).toMatchObject({ code: "SYSTEM_ERROR", cause: error });
  });

  it.each<[name: string, error: unknown]>([
    ["a file missing elsewhere", systemError("ENOENT", "/tmp/x")],
    ["what says that the program is wrong", systemError("EINVAL", "/s/x")],
    ["an error of ours", new TsbuildError("X", "x")],
    ["any other", new RangeError("x")],
    ["nothing", undefined],
  ])("stays as it is: %s", (_name, error) => {
    expect(nameSystemError(error, "/s")).toBe(error);
  });
});
