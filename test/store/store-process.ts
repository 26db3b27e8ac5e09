import { type ChildProcessByStdio, execFileSync, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath, pathToFileURL } from "node:url";

const checkout = fileURLToPath(new URL("../..", import.meta.url));

export type StoreProcess = ChildProcessByStdio<null, Readable, Readable>;

/** A program over the store's sources, bundled once, that can be started as processes of its own. */
export interface StoreProgram {
  start(...args: readonly string[]): StoreProcess;
}

/** `source` is a module; it imports from "store/…" and "runtime-addon/…". The bundle is written to `directory`. */
export function storeProgram(directory: string, source: string): StoreProgram {
  const file = join(directory, "program.mjs");
  const input = join(directory, "program.ts");
  writeFileSync(input, source.replace(/from "(store|runtime-addon)\//g, `from "${checkout}$1/`));
  // As a command: esbuild's library leaves its service running.
  const args = [
    input,
    "--bundle",
    "--format=esm",
    "--platform=node",
    "--target=node20.18.1",
    "--external:undici",
    "--external:zlib-sync",
    `--outfile=${file}`,
  ];
  // The addon is found beside the sources.
  const addonBase = pathToFileURL(join(checkout, "runtime-addon/binding.ts")).href;
  execFileSync(
    join(checkout, "node_modules/.bin/esbuild"),
    [...args, `--define:import.meta.url=${JSON.stringify(addonBase)}`, "--log-level=error"],
    {
      cwd: checkout,
      env: { ...process.env, NODE_PATH: join(checkout, "node_modules") },
    },
  );
  return { start: (...args) => spawn(process.execPath, [file, ...args], { stdio: ["ignore", "pipe", "pipe"] }) };
}

/** The end of a process: its exit code or signal, and all that it wrote. */
export async function ended(
  child: StoreProcess,
): Promise<{ code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }> {
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}
