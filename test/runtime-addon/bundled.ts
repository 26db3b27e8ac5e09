import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

// The command, not the library: that one leaves a service process behind.
const ESBUILD = fileURLToPath(new URL("../../node_modules/.bin/esbuild", import.meta.url));
const SOURCES = fileURLToPath(new URL("../../runtime-addon/", import.meta.url));

/**
 * Lays the floor out below a directory as an installation has it (dist/ and runtime-addon/build/Release), so that processes
 * with other rights or limits can use it. Returns the path of a program that runs `body`, where `runtime` is the floor and
 * `args` are the arguments; it prints what `body` resolves with as JSON, or the fields of its error.
 */
export function bundleProgram(directory: string, body: string): string {
  const release = join(directory, "runtime-addon/build/Release");
  mkdirSync(release, { recursive: true });
  copyFileSync(join(SOURCES, "build/Release/addon.node"), join(release, "addon.node"));
  const entry = join(directory, "program.ts");
  writeFileSync(
    entry,
    `import * as runtime from ${JSON.stringify(join(SOURCES, "index.ts"))};
     const args = process.argv.slice(2);
     const run = async (): Promise<unknown> => { ${body} };
     run().then((value) => ({ value }), (error) => ({ error: { code: error.code, errno: error.errno, syscall: error.syscall, path: error.path } }))
       .then((outcome) => console.log(JSON.stringify(outcome)));`,
  );
  const outfile = join(directory, "dist/program.mjs");
  execFileSync(ESBUILD, [entry, "--bundle", "--platform=node", "--format=esm", `--outfile=${outfile}`, "--log-level=error"]);
  return outfile;
}
