import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { CHECKOUT } from "./cli.ts";
import { mutantsDirectory } from "./mutants-directory.ts";
import { recompile } from "./recompile.ts";

/** One change of a source: `from`, which stands in `file` exactly once, becomes `to`. */
export interface Mutation {
  /** From the checkout's root: "store/layer/apply.ts", "runtime-addon/src/init/root.cc". */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** A copy of the program in which something is otherwise than in the checkout. */
export interface Mutant {
  /** Laid out as the checkout is: builder/, store/, runtime-addon/, with dist/ where a bundle was asked for. */
  readonly root: string;
  /** The command, where a bundle was asked for. */
  readonly cli: string;
  readonly addon: string;
  readonly helper: string;
  /** Imports a source of the copy: `load<typeof import("../../store/layer/apply.ts")>("store/layer/apply.ts")`. */
  load<Module>(file: string): Promise<Module>;
}

const run = promisify(execFile);

/**
 * Makes a copy of the program with these changes, so that a test can show what happens with a defence taken out: the attack must succeed on the
 * copy, or the test of the defence proves nothing. What is changed of the addon and of tsb-init is compiled and linked anew, and nothing
 * else; put what can be out at the same time into one mutant. `bundle` makes its command too. Throws for a change whose text stands in its file not
 * once: the source has become another one. Made once a run for the same changes, and gone when the run is done.
 */
export async function mutant(mutations: readonly Mutation[], { bundle = false }: { readonly bundle?: boolean } = {}): Promise<Mutant> {
  const key = createHash("sha256")
    .update(JSON.stringify([mutations, bundle]))
    .digest("hex")
    .slice(0, 16);
  const root = join(mutantsDirectory(tmpdir()), key);
  if (!existsSync(root)) {
    const fresh = `${root}.${randomBytes(6).toString("hex")}`;
    try {
      await make(fresh, mutations, bundle);
      putInPlace(fresh, root);
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
  }
  return {
    root,
    cli: join(root, "dist/tsbuild.js"),
    addon: join(root, OUTPUTS, "addon.node"),
    helper: join(root, OUTPUTS, "tsb-init"),
    load: (file) => import(/* @vite-ignore */ join(root, file)),
  };
}

const OUTPUTS = "runtime-addon/build/Release";
const SOURCES = ["builder", "store", "runtime-addon", ".scripts", "package.json", "tsconfig.json"];

async function make(root: string, mutations: readonly Mutation[], bundle: boolean): Promise<void> {
  const texts = mutatedTexts(mutations);
  const native = [...new Set(mutations.map(({ file }) => file))].filter((file) => file.startsWith("runtime-addon/src/"));
  const build = join(CHECKOUT, "runtime-addon/build");
  mkdirSync(root, { recursive: true });
  for (const name of SOURCES) {
    cpSync(join(CHECKOUT, name), join(root, name), { recursive: true, filter: (path) => native.length > 0 || path !== build });
  }
  if (native.length === 0) symlinkSync(build, join(root, "runtime-addon/build"));
  symlinkSync(join(CHECKOUT, "node_modules"), join(root, "node_modules"));
  for (const [file, text] of texts) writeFileSync(join(root, file), text);
  if (native.length > 0) {
    const changed = native.map((file) => file.slice("runtime-addon/".length));
    await recompile(join(root, "runtime-addon"), join(CHECKOUT, "runtime-addon"), changed);
  }
  if (bundle) await run(process.execPath, [join(root, ".scripts/bundle.mjs"), "--without-types"], { cwd: root });
}

/** The changed files. */
function mutatedTexts(mutations: readonly Mutation[]): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  for (const { file, from, to } of mutations) {
    const source = texts.get(file) ?? readFileSync(join(CHECKOUT, file), "utf8");
    const times = source.split(from).length - 1;
    if (times !== 1) throw new Error(`changing ${file}: it holds ${times} times what is to be replaced: ${from}`);
    texts.set(
      file,
      source.replace(from, () => to),
    );
  }
  return texts;
}

/** Another test file may have made the same one meanwhile: then that one is taken. */
function putInPlace(fresh: string, root: string): void {
  try {
    renameSync(fresh, root);
  } catch (error) {
    if (!existsSync(root)) throw error;
  }
}
