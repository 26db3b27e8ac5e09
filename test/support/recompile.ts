import { execFile } from "node:child_process";
import { cpSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, normalize, resolve } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

const RECORDS = "Release/.deps";
const LINKED = ["Release/tsb-init", "Release/obj.target/addon.node"];

/**
 * Compiles what the changed native sources are part of, in a copy of runtime-addon/ that has the original's build directory in it, and links the
 * addon and tsb-init anew, with the commands by which the originals were built. Paths are relative to runtime-addon/. A warning is no error here, since
 * what a defence used is unused without it, and nothing is optimised, which takes half the time.
 */
export async function recompile(copy: string, original: string, changed: readonly string[]): Promise<void> {
  const cwd = join(copy, "build");
  const records = readdirSync(join(cwd, RECORDS), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".o.d"));
  const stale = records.map((name) => readFileSync(join(cwd, RECORDS, name), "utf8")).filter((record) => dependsOn(record, changed));
  if (stale.length === 0) throw new Error(`compiling ${changed.join(", ")}: nothing that was built depends on it`);
  const lines = stale.map((record) =>
    commandOf(record)
      .replaceAll(" -Werror ", " ")
      .replaceAll(" -O3 ", " -O0 ")
      .replaceAll(/ -I(\.\S+)/g, absolute(original)),
  );
  await Promise.all(lines.map((line) => run("sh", ["-c", line], { cwd })));
  // Not in place: a hard link of what others have loaded would change with it.
  for (const output of LINKED) rmSync(join(cwd, output));
  await Promise.all(LINKED.map((output) => run("sh", ["-c", commandOf(readFileSync(join(cwd, RECORDS, `${output}.d`), "utf8"))], { cwd })));
  cpSync(join(cwd, "Release/obj.target/addon.node"), join(cwd, "Release/addon.node"), { force: true });
}

/** A record of make's: "cmd_OUTPUT := COMMAND", then a rule with what the output was made of. */
function commandOf(record: string): string {
  return /^cmd_\S+ := (.*)$/m.exec(record)?.[1] ?? "false";
}

function dependsOn(record: string, changed: readonly string[]): boolean {
  const sources = record.split(/\s+/).map((word) => normalize(join("build", word)));
  return changed.some((file) => sources.includes(file));
}

/** Include directories outside of runtime-addon/ are named relative to the original. */
function absolute(original: string): (whole: string, path: string) => string {
  return (_whole, path) => ` -I${resolve(original, "build", path)}`;
}
