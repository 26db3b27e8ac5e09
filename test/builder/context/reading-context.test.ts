import { describe, expect, it } from "vitest";
import { ContextChangedError, readingContext } from "../../../builder/context/reading-context.ts";
import { FileChangedError, TsbuildError } from "../../../runtime-addon/index.ts";

const systemError = (code: string, path: string) =>
  Object.assign(new Error(`${code}: it failed, open '${path}'`), { code, errno: -1, syscall: "open", path });

async function told(error: unknown): Promise<unknown> {
  return readingContext("/ctx", "/ctx/store", () => Promise.reject(error)).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
}

describe("an error while the context is read", () => {
  it.each<[what: string, error: Error]>([
    ["a file that is gone", systemError("ENOENT", "/ctx/a")],
    ["a directory that became a file", systemError("ENOTDIR", "/ctx/a/b")],
    ["a file that became a symlink", systemError("ELOOP", "/ctx/a")],
    ["a context that is gone", systemError("ENOENT", "/ctx")],
    ["a file of another size", new FileChangedError("/ctx/a: expected 1 bytes, found 2", "/ctx/a", undefined)],
  ])("is a change: %s", async (_what, error) => {
    expect(await told(error)).toBeInstanceOf(ContextChangedError);
    expect(await told(error)).toMatchObject({
      code: "CONTEXT_CHANGING",
      cause: error,
      hint: "stop what writes to the context, or exclude those files with .dockerignore",
    });
  });

  it.each(["EACCES", "EPERM"])("is a file that we may not read: %s", async (code) => {
    expect(await told(systemError(code, "/ctx/a"))).toMatchObject({
      code: "COPY_SOURCE_UNREADABLE",
      message: `copying from the build context: ${code}: it failed, open '/ctx/a'`,
      hint: "make it readable for this user, or exclude it with .dockerignore",
    });
  });

  it.each<[what: string, error: Error]>([
    ["of the store", systemError("EACCES", "/store/v1/tmp/layer")],
    ["of a store inside the context", systemError("ENOENT", "/ctx/store/blobs/sha256/00")],
    ["of a directory whose name begins alike", systemError("EACCES", "/ctx2/a")],
    ["of no file", Object.assign(new Error("EMFILE"), { code: "EMFILE", errno: -24, syscall: "open" })],
    ["of the disk", systemError("EIO", "/ctx/a")],
    ["of another kind", new TsbuildError("INVALID_COMPRESSION", "reading")],
  ])("stays what it is: %s", async (_what, error) => {
    expect(await told(error)).toBe(error);
  });

  it("is none where all went well", async () => {
    expect(await readingContext("/ctx", "/store", async () => 1)).toBe(1);
  });
});
