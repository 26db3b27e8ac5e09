import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { importsOf, type Rules, violations } from "./support/architecture.ts";

const CHECKOUT = fileURLToPath(new URL("..", import.meta.url));

const manifest: { dependencies: Record<string, string>; optionalDependencies: Record<string, string> } = JSON.parse(
  readFileSync(join(CHECKOUT, "package.json"), "utf8"),
);

const RULES: Rules = {
  floors: [
    { folder: "builder/cli/", mayImport: ["builder/", "store/", "runtime-addon/index.ts", "package.json"] },
    {
      folder: "builder/",
      mayImport: [...belowBuilder(), "store/", "runtime-addon/index.ts", "package.json"],
    },
    { folder: "store/", mayImport: ["store/", "runtime-addon/index.ts"] },
    { folder: "runtime-addon/", mayImport: ["runtime-addon/"] },
  ],
  doors: {
    "node:child_process": [
      "builder/fetch/git-command.ts",
      "runtime-addon/sandbox-network.ts",
      "runtime-addon/sandbox.ts",
      "runtime-addon/user-namespace.ts",
      "runtime-addon/probe.ts",
      "store/registry/credential-helper.ts",
      "store/tool-filter.ts",
    ],
    "node:zlib": ["store/compression.ts", "store/gzip-blocks.ts", "store/gzip-small.ts", "store/zstd-file.ts", "store/zstd.ts"],
    "node:worker_threads": [],
    "node:cluster": [],
    "node:vm": [],
  },
  pure: [
    "builder/checks/",
    "builder/dockerfile/",
    "builder/outline/",
    "builder/plan/",
    "builder/progress/event.ts",
    "builder/options.ts",
    "store/digest.ts",
    "store/errors.ts",
    "store/oci.ts",
    "store/reference.ts",
    "store/layer/entry.ts",
    "store/layer/tar-format.ts",
    "store/layer/tree.ts",
    "store/unseen.ts",
    "runtime-addon/bytes.ts",
    "runtime-addon/errors.ts",
    "runtime-addon/protocol.ts",
    "runtime-addon/seccomp/",
    "runtime-addon/spec.ts",
  ],
  pureBuiltIns: ["node:assert", "node:buffer", "node:crypto", "node:path", "node:util"],
  process: ["builder/cli/", "runtime-addon/namespace-worker.ts", "store/directory-worker.ts"],
  packages: [...Object.keys(manifest.dependencies), ...Object.keys(manifest.optionalDependencies)],
};

/** What the top level of the repository may hold, besides dot files. */
const TOP_LEVEL = [
  "CHANGELOG.md",
  "LICENSE",
  "NOTICE",
  "README.md",
  "builder",
  "docs",
  "fixtures",
  "package-lock.json",
  "package.json",
  "runtime-addon",
  "store",
  "test",
  "tsconfig.json",
];

/** All of builder/ but its command line, which stands above the rest. */
function belowBuilder(): string[] {
  return readdirSync(join(CHECKOUT, "builder"), { withFileTypes: true })
    .filter(({ name }) => name !== "cli")
    .map((entry) => `builder/${entry.name}${entry.isDirectory() ? "/" : ""}`);
}

function sources(): Map<string, string> {
  const found = new Map<string, string>();
  for (const folder of ["builder", "store", "runtime-addon"]) {
    for (const name of readdirSync(join(CHECKOUT, folder), { recursive: true, encoding: "utf8" })) {
      if (name.endsWith(".ts")) found.set(`${folder}/${name}`, readFileSync(join(CHECKOUT, folder, name), "utf8"));
    }
  }
  return found;
}

describe("the sources", () => {
  it("break no rule", () => {
    expect(violations(sources(), RULES)).toEqual([]);
  });

  it("name only existing files in the rules", () => {
    const all = [...sources().keys()];
    const named = [...RULES.pure, ...RULES.process, ...Object.values(RULES.doors).flat()];
    expect(named.filter((entry) => !all.some((file) => file.startsWith(entry)))).toEqual([]);
  });

  it("stand in few entries at the top level", () => {
    const tracked = execFileSync("git", ["ls-tree", "--name-only", "HEAD"], { cwd: CHECKOUT, encoding: "utf8" }).trim().split("\n");
    expect(tracked.filter((name) => !name.startsWith(".") && !TOP_LEVEL.includes(name))).toEqual([]);
  });
});

describe("the checker", () => {
  const rules: Rules = {
    floors: [
      { folder: "upper/", mayImport: ["upper/", "lower/index.ts"] },
      { folder: "lower/", mayImport: ["lower/"] },
    ],
    doors: { "node:child_process": ["lower/start.ts"] },
    pure: ["upper/pure.ts"],
    pureBuiltIns: ["node:path"],
    process: ["upper/main.ts"],
    packages: ["known", "@scope/known"],
  };
  const base = { "lower/index.ts": "", "lower/other.ts": "" };
  const check = (files: Record<string, string>) => violations(new Map(Object.entries({ ...base, ...files })), rules);

  it.each<[name: string, files: Record<string, string>, expected: string[]]>([
    [
      "an import that goes up",
      { "lower/a.ts": 'import { x } from "../upper/b.ts";', "upper/b.ts": "" },
      ["lower/a.ts:1: lower/ may not import upper/b.ts"],
    ],
    [
      "an import past the index",
      { "upper/a.ts": '\n\nimport type { X } from "../lower/other.ts";' },
      ["upper/a.ts:3: upper/ may not import lower/other.ts"],
    ],
    [
      "a dynamic import past the index",
      { "upper/a.ts": 'const x = await import("../lower/other.ts");' },
      ["upper/a.ts:1: upper/ may not import lower/other.ts"],
    ],
    [
      "a re-export past the index",
      { "upper/a.ts": 'export {\n  x,\n} from "../lower/other.ts";' },
      ["upper/a.ts:1: upper/ may not import lower/other.ts"],
    ],
    ["a file that is not there", { "upper/a.ts": 'import "./gone.ts";' }, ["upper/a.ts:1: ./gone.ts is not a source file"]],
    ["a package that is no dependency", { "upper/a.ts": 'import left from "left-pad";' }, ["upper/a.ts:1: left-pad is not a dependency"]],
    [
      "a second door of a package",
      { "upper/a.ts": 'import "@scope/known/deep";', "upper/b.ts": 'import x from "@scope/known";' },
      ["upper/b.ts:1: @scope/known already has its door in upper/a.ts"],
    ],
    [
      "a guarded module",
      { "upper/a.ts": 'import { spawn } from "node:child_process";' },
      ["upper/a.ts:1: only lower/start.ts may import node:child_process"],
    ],
    [
      "input and output in a pure file",
      { "upper/pure.ts": 'import "node:path";\nimport { readFileSync } from "node:fs";' },
      ["upper/pure.ts:2: a pure file imports node:fs"],
    ],
    [
      "the environment read inside",
      { "upper/a.ts": "const x = 1;\nconst home = process.env.HOME;" },
      ["upper/a.ts:2: process.env belongs to the outer edge"],
    ],
    [
      "a circle",
      { "upper/a.ts": 'import "./b.ts";', "upper/b.ts": '\nimport "./c.ts";', "upper/c.ts": 'import type { A } from "./a.ts";' },
      ["upper/c.ts:1: circle upper/a.ts → upper/b.ts → upper/c.ts → upper/a.ts"],
    ],
  ])("finds %s", (_name, files, expected) => {
    expect(check(files)).toEqual(expected);
  });

  it("accepts what the rules allow", () => {
    const files = {
      "upper/main.ts": 'import { x } from "../lower/index.ts";\nimport known from "known";\nprocess.exitCode = 1;',
      "upper/pure.ts": 'import { join } from "node:path";\nimport type { Stats } from "node:fs";',
      "lower/start.ts":
        'import { spawn } from "node:child_process";\n// import "../upper/main.ts"; process.env\nconst script = "process.exit(0)";',
    };
    expect(check(files)).toEqual([]);
  });

  it("reads every form of import, and none in comments", () => {
    const text = [
      'import a, { b } from "one";',
      "import {",
      "  c,",
      '} from "two";',
      '/* import x from "no"; */',
      'export * from "three";',
      '// import "no";',
      'const url = "http://x"; const d = await import("four");',
      'import type { E } from "five";',
    ].join("\n");
    expect(importsOf(text).map(({ specifier, line, typeOnly }) => `${specifier} ${line} ${typeOnly}`)).toEqual([
      "one 1 false",
      "two 2 false",
      "three 6 false",
      "four 8 false",
      "five 9 true",
    ]);
  });
});
