import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openConfined } from "../../../builder/context/confined-file.ts";
import { openDirectory } from "../../../builder/context/directory-source.ts";
import { readDockerfile } from "../../../builder/read-dockerfile.ts";
import { contextDirectory } from "../../support/context.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

async function readIn(root: string) {
  const unused = { store: () => Promise.reject(new Error("no store is needed")), now: () => 0 };
  return readDockerfile((await openDirectory(root, { describe: "the build context", ...unused })).context, undefined);
}

describe("a file of a hostile context", () => {
  const outside = () => {
    const directory = temporaryDirectory("outside");
    writeFileSync(join(directory, "secret"), "root:secret\n");
    return join(directory, "secret");
  };

  it("is read through links that stay inside", async () => {
    const root = contextDirectory({ "sub/file": "inner\n" });
    symlinkSync("sub/file", join(root, "link"));
    const handle = await openConfined(root, join(root, "link"));
    expect(await handle.readFile("utf8")).toBe("inner\n");
    await handle.close();
  });

  it("is refused when it, or a directory above it, is a link out of the context (a swap while ADD reads)", async () => {
    const parent = temporaryDirectory("context");
    const root = join(parent, "context");
    mkdirSync(root);
    const secret = outside();
    symlinkSync(secret, join(root, "x.tar"));
    symlinkSync(join(secret, ".."), join(root, "directory"));
    for (const path of ["x.tar", "directory/secret"]) {
      await expect(openConfined(root, join(root, path))).rejects.toMatchObject({ code: "OUTSIDE_CONTEXT" });
    }
    // A neighbour whose name begins like the context's.
    mkdirSync(join(parent, "context-other"));
    writeFileSync(join(parent, "context-other/f"), "");
    symlinkSync("../context-other/f", join(root, "f"));
    await expect(openConfined(root, join(root, "f"))).rejects.toMatchObject({ code: "OUTSIDE_CONTEXT" });
  });

  it("is not waited for when it is a FIFO, nor read for ever when it is a device", async () => {
    const root = temporaryDirectory("context");
    execFileSync("mkfifo", [join(root, "fifo")]);
    symlinkSync("/dev/zero", join(root, "zero"));
    for (const path of ["fifo", "zero"]) {
      await expect(openConfined(root, join(root, path))).rejects.toMatchObject({ code: "OUTSIDE_CONTEXT" });
    }
  });

  it("is not shown as a Dockerfile or ignore file that links to a file of the host", async () => {
    const secret = outside();
    for (const name of ["Dockerfile", ".dockerignore", "Dockerfile.dockerignore"]) {
      const root = contextDirectory(name === "Dockerfile" ? {} : { Dockerfile: "FROM scratch\n" });
      symlinkSync(secret, join(root, name));
      await expect(readIn(root)).rejects.toMatchObject({
        code: name === "Dockerfile" ? "DOCKERFILE_UNREADABLE" : "IGNORE_FILE_UNREADABLE",
      });
    }
  });
});
