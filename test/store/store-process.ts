import { type ChildProcessByStdio, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const checkout = fileURLToPath(new URL("../..", import.meta.url));

export type StoreProcess = ChildProcessByStdio<null, Readable, Readable>;

/** A program over the store's sources, bundled once, that can be started as processes of its own. */
export interface StoreProgram {
  start(...args: readonly string[]): StoreProcess;
}

/** `source` is a module; it imports from "store/…" and "runtime-addon/…". The bundle is written to `directory`. */
export async function storeProgram(directory: string, source: string): Promise<StoreProgram> {
  const file = join(directory, "program.mjs");
  const result = await build({
    stdin: { contents: source.replace(/from "(store|runtime-addon)\//g, `from "${checkout}$1/`), resolveDir: checkout, loader: "ts" },
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    target: "node20.17",
    external: ["zlib-sync"],
    // The addon is found beside the sources.
    define: { "import.meta.url": JSON.stringify(pathToFileURL(join(checkout, "runtime-addon/binding.ts")).href) },
    logLevel: "silent",
  });
  writeFileSync(file, result.outputFiles[0]?.contents ?? "");
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
