import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CHECKOUT } from "../support/cli.ts";
import { command } from "../support/command.ts";
import { page } from "../support/pages.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** The example of the library's page, as it stands there. */
function example(): string {
  const found = /```ts\n([\s\S]*?)```/.exec(page("docs/library.md"))?.[1];
  if (found === undefined) throw new Error("docs/library.md has no example");
  return found;
}

/** Another project, with tsbuild installed as npm link does it. */
function project(files: Readonly<Record<string, string>>): string {
  const folder = temporaryDirectory("library");
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(CHECKOUT, join(folder, "node_modules/tsbuild"));
  for (const [name, text] of Object.entries({ "package.json": '{"type":"module"}', ...files })) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

const compilerOptions = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noEmit: true,
  module: "NodeNext",
  target: "ES2022",
  lib: ["ES2023", "ESNext.Disposable"],
  types: ["node"],
  typeRoots: [join(CHECKOUT, "node_modules/@types")],
  preserveSymlinks: false,
};

async function compile(text: string): Promise<string> {
  const folder = project({ "example.ts": text, "tsconfig.json": JSON.stringify({ compilerOptions, files: ["example.ts"] }) });
  const { code, stdout, stderr } = await command([process.execPath, join(CHECKOUT, "node_modules/typescript/bin/tsc"), "-p", folder]);
  return code === 0 ? "" : stdout + stderr;
}

describe("the library, as another project uses it", () => {
  it("does what the documentation's example says", async () => {
    const folder = project({ "example.mjs": example(), "app/Dockerfile": "FROM scratch\nCOPY hello /", "app/hello": "hi\n" });
    const ran = await command([process.execPath, "example.mjs"], { cwd: folder });
    expect([ran.code, ran.stdout, ran.stderr]).toEqual([0, "", ""]);
    const listed = await command(["tar", "-xOf", join(folder, "app.tar"), "index.json"]);
    expect(JSON.parse(listed.stdout)).toMatchObject({
      manifests: [{ annotations: { "org.opencontainers.image.ref.name": expect.stringContaining("v1") } }],
    });
  });

  it("has what the documentation names", async () => {
    const rows = [...page("docs/library.md").matchAll(/^\| `(tsbuild[a-z/]*)` \| (.+) \|$/gm)];
    expect(rows.map(([, module]) => module)).toEqual(["tsbuild", "tsbuild/store", "tsbuild/runtime"]);
    const imports = rows.map(([, module = "", text = ""]) => {
      const names = [...text.matchAll(/`([a-z]\w+)`/g)].map(([, name]) => name).filter((name) => name !== "tsbuild");
      return `import * as m from "${module}"; for (const name of ${JSON.stringify(names)}) if (typeof m[name] !== "function") console.log(name);`;
    });
    const folder = project(Object.fromEntries(imports.map((text, index) => [`names${index}.mjs`, text])));
    for (const index of imports.keys()) {
      expect(await command([process.execPath, `names${index}.mjs`], { cwd: folder })).toMatchObject({ code: 0, stdout: "", stderr: "" });
    }
  });

  it("has types, with which the example compiles", async () => {
    expect(await compile(example())).toBe("");
  });

  it("has types that know what is wrong", async () => {
    const errors = await compile(
      [
        'import { build, runContainer, TsbuildError } from "tsbuild";',
        'import { loadImages, openStore } from "tsbuild/store";',
        'import { probeHost } from "tsbuild/runtime";',
        'await build({ context: "." });',
        'await build({ context: ".", store: "s", tags: "app" });',
        'const code: string = await runContainer({ store: "s", image: "i" });',
        'await loadImages(await openStore("s"), { archive: "x" });',
        "export const used = [TsbuildError, probeHost, code];",
      ].join("\n"),
    );
    const lines = [...errors.matchAll(/example\.ts[(:](\d+)[,:]\d+\)?.* error (TS\d+)/g)].map(([, line, number]) => `${line} ${number}`);
    expect(lines).toEqual(["4 TS2741", "5 TS2322", "6 TS2322", "7 TS2353"]);
  });
});
