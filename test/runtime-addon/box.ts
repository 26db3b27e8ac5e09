import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { runSandbox, type SandboxOptions, type SandboxResult, type SandboxRoot, type SandboxSpec } from "../../runtime-addon/index.ts";
import { busyboxTar } from "../support/bases.ts";
import { type ShellChanges, shellSpec } from "../support/sandbox/shell-spec.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** What a test changes of the usual sandbox: root, busybox, host network, an overlay with a fresh upper directory. */
export type BoxChanges = ShellChanges & Partial<Pick<SandboxSpec, "root">>;

export interface BoxRun extends SandboxResult {
  readonly stdout: string;
  readonly stderr: string;
  /** The upper directory, as the command left it. */
  readonly upper: string;
}

let busybox: string | undefined;

/** A root file system of busybox, unpacked once a test file, with the mount points that every image lacks. */
export function busyboxRoot(): string {
  if (busybox === undefined) {
    busybox = temporaryDirectory("busybox");
    execFileSync("tar", ["-xf", busyboxTar(), "-C", busybox]);
    for (const path of ["dev", "proc", "sys", "tmp", "etc"]) mkdirSync(join(busybox, path), { recursive: true });
  }
  return busybox;
}

/** An overlay of these directories, topmost first, with a fresh upper directory. */
export function layered(lowers: readonly string[]): { readonly root: SandboxRoot; readonly upper: string } {
  const scratch = temporaryDirectory("box");
  const upper = join(scratch, "upper");
  const work = join(scratch, "work");
  mkdirSync(upper);
  mkdirSync(work);
  return { root: { lowers, upper, work }, upper };
}

/** The spec of a shell script in a busybox sandbox, and its upper directory. */
export function boxSpec(script: string, changes: BoxChanges = {}): SandboxSpec & { readonly upper: string } {
  const { root, upper } = layered([busyboxRoot()]);
  return { upper, root: changes.root ?? root, ...shellSpec(script, { network: "host", ...changes }) };
}

/** Runs a shell script in a busybox sandbox and collects what it writes. */
export async function box(script: string, changes: BoxChanges = {}, options: SandboxOptions = {}): Promise<BoxRun> {
  const spec = boxSpec(script, changes);
  const output = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
  const result = await runSandbox(spec, { stdin: "null", output: (chunk, stream) => void output[stream].push(chunk) }, options);
  const text = (chunks: readonly Uint8Array[]) => Buffer.concat(chunks).toString("utf8");
  return { ...result, stdout: text(output.stdout), stderr: text(output.stderr), upper: spec.upper };
}

/** The lines that a script wrote. */
export function lines(run: { readonly stdout: string }): string[] {
  return run.stdout.split("\n").filter((line) => line !== "");
}
