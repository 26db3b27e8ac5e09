import { mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type ByteString, bytesOf } from "../../runtime-addon/index.ts";
import { command } from "./command.ts";
import { type Mutation, mutant } from "./mutant.ts";
import { needs } from "./needs.ts";
import { temporaryDirectory } from "./temporary.ts";

describe("a mutant", () => {
  it("is a copy whose sources can be imported, made once for the same changes", async () => {
    const file = "store/layer/entry-path.ts";
    const changed: readonly Mutation[] = [{ file, from: 'whiteoutPrefix = ".wh."', to: 'whiteoutPrefix = ".gone."' }];
    const { load, root } = await mutant(changed);
    const { whiteoutPrefix } = await load<typeof import("../../store/layer/entry-path.ts")>(file);
    expect(whiteoutPrefix).toBe(".gone.");
    // Made once.
    const { ino } = statSync(root);
    expect(statSync((await mutant(changed)).root).ino).toBe(ino);
  });

  it("has an addon, a helper and a command of its own", { ...needs("root"), timeout: 180_000 }, async () => {
    const changed: readonly Mutation[] = [
      {
        file: "runtime-addon/src/addon/extract.cc",
        from: "if (type == S_IFCHR && entry.major == 0 && entry.minor == 0) return",
        to: "if (false) return",
      },
      { file: "builder/version.ts", from: "manifest.version", to: '"mutant"' },
    ];
    const { load, cli, helper } = await mutant(changed, { bundle: true });
    const { extract } = await load<typeof import("../../runtime-addon/index.ts")>("runtime-addon/index.ts");
    const root = join(temporaryDirectory(), "root");
    mkdirSync(root);
    const times = { mode: 0o600, uid: 0, gid: 0, mtime: 0, mtimeNsec: 0 };
    await extract(root, "/dev/null", [{ kind: "char", path: bytesOf("null") as ByteString, ...times, major: 0, minor: 0 }], {
      owners: true,
    });
    expect(statSync(join(root, "null"))).toMatchObject({ rdev: 0 });
    expect(await command([process.execPath, cli, "version"])).toMatchObject({ code: 0, stdout: "tsbuild mutant\n" });
    expect(readFileSync(helper).subarray(1, 4).toString()).toBe("ELF");
  });

  it.each([
    ["not at all", "what nobody wrote", "0"],
    ["twice", "esbuild", "2"],
  ])("is not made of a text that the source holds %s", async (_name, from, times) => {
    const changed: readonly Mutation[] = [{ file: "package.json", from, to: "" }];
    await expect(mutant(changed)).rejects.toThrow(`changing package.json: it holds ${times} times what is to be replaced: ${from}`);
  });
});
