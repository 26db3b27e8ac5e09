import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, copyFileSync, lchownSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { ResourceLimits, SandboxProcess } from "../../../runtime-addon/index.ts";
import { busyboxTar } from "../bases.ts";
import { CHECKOUT } from "../cli.ts";
import { temporaryDirectory } from "../temporary.ts";
import { createUser, OPEN_TUN_DEVICE, type TestUser, userCommand } from "../users.ts";
import type { SandboxAnswer, SandboxRequest } from "./protocol.ts";
import { shellSpec } from "./shell-spec.ts";

/** A way to have sandboxes made. */
export interface SandboxMode {
  readonly name: string;
  readonly how: "direct" | "copy" | "mapped" | "worker";
  /** An ordinary user makes them. */
  readonly user?: { readonly uid: number; readonly subIds: boolean };
}

const HELPER = "runtime-addon/build/Release/tsb-init";
const ADDON = "runtime-addon/build/Release/addon.node";
const SERVER = "dist/server.mjs";

export const ROOT: SandboxMode = { name: "root", how: "direct" };

export const SANDBOX_MODES: readonly SandboxMode[] = [
  ROOT,
  { name: "root on a copy of the layers", how: "copy" },
  { name: "root in a user namespace", how: "mapped" },
  { name: "a user with sub-ids", how: "worker", user: { uid: 61_001, subIds: true } },
  { name: "a user with one id", how: "worker", user: { uid: 61_002, subIds: false } },
];

/** What a test changes of the usual sandbox: root, busybox, no network, an overlay with a fresh upper directory. */
export type ModeChanges = Omit<Partial<SandboxRequest["spec"]>, "process"> & {
  readonly process?: Partial<SandboxProcess>;
  readonly lowers?: readonly string[];
  readonly limits?: ResourceLimits;
  readonly abort?: SandboxRequest["abort"];
  readonly isolated?: true;
  readonly initPath?: string;
};

export interface ModeRun extends NonNullable<SandboxAnswer["result"]> {
  readonly upper: string;
}

/** Sandboxes of one mode, until close(). */
export interface Sandboxes {
  readonly mode: SandboxMode;
  /** The tsb-init that makes them, a copy of its own. */
  readonly helper: string;
  /** Runs a shell script, or where `process.args` are given those. Rejects as runSandbox does, with plain fields. */
  run(script: string, changes?: ModeChanges): Promise<ModeRun>;
  /** A directory that belongs to who makes the sandboxes. */
  directory(): string;
  /** Gives a tree to who makes the sandboxes. */
  own(path: string): void;
  close(): Promise<void>;
}

/** `program` is the directory of the sources; a mutant's, where something of them shall be otherwise. Needs root. */
export async function openSandboxes(mode: SandboxMode, program: string = CHECKOUT): Promise<Sandboxes> {
  const user = mode.user === undefined ? undefined : createUser({ ...mode.user, tunDevice: true });
  const base = user === undefined ? temporaryDirectory("sandboxes") : join(user.home, "sandboxes");
  mkdirSync(base, { recursive: true, mode: 0o755 });
  const own = (path: string) => {
    if (user !== undefined) ownTree(path, user.uid);
  };
  const system = join(base, "busybox");
  mkdirSync(system);
  execFileSync("tar", ["-xf", busyboxTar(), "-C", system]);
  for (const path of ["dev", "proc", "sys", "tmp", "etc"]) mkdirSync(join(system, path), { recursive: true });
  own(base);
  const directory = temporaryDirectory("server");
  const child = start(mode, user, [layOutServer(program, directory), mode.how, base, system]);
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const answers = await answersOf(child);
  let last = 0;
  return {
    mode,
    helper: join(directory, HELPER),
    own,
    directory() {
      const made = mkdtempSync(join(base, "given-"));
      chmodSync(made, 0o755);
      own(made);
      return made;
    },
    async run(script, changes = {}) {
      const id = ++last;
      const answer = answers.get(id);
      child.stdin?.write(`${JSON.stringify(requestOf(id, script, changes))}\n`);
      const { result, error, upper } = await answer;
      if (result === undefined) throw Object.assign(new Error(error?.message), error);
      return { ...result, upper };
    },
    async close() {
      child.stdin?.end();
      await ended;
    },
  };
}

function requestOf(id: number, script: string, changes: ModeChanges): SandboxRequest {
  const { lowers = [], limits, abort, isolated, initPath, ...rest } = changes;
  return {
    id,
    spec: shellSpec(script, rest),
    lowers,
    ...(limits === undefined ? {} : { limits }),
    ...(abort === undefined ? {} : { abort }),
    ...(isolated === undefined ? {} : { isolated }),
    ...(initPath === undefined ? {} : { initPath }),
  };
}

function start({ how }: SandboxMode, user: TestUser | undefined, args: readonly string[]): ChildProcess {
  const stdio = ["pipe", "pipe", "inherit"] as const;
  // Root of a user namespace is nobody in particular to the device.
  const openTun = ["--mount", "--propagation", "private", "sh", "-euc", `${OPEN_TUN_DEVICE}; exec "$@"`, "sh", process.execPath];
  if (how === "mapped") return spawn("unshare", [...openTun, ...args], { stdio: [...stdio] });
  if (user === undefined) return spawn(process.execPath, args, { stdio: [...stdio] });
  const { argv, env } = userCommand(user, [user.node, ...args]);
  const [file, ...rest] = argv;
  return spawn(file, rest, { stdio: [...stdio], env });
}

/** Resolves once the server is ready; its answers by the requests' ids. A server that ends early answers everything with that. */
async function answersOf(child: ChildProcess): Promise<{ get(id: number): Promise<SandboxAnswer> }> {
  const waiting = new Map<number, (answer: SandboxAnswer) => void>();
  const lost = (id: number): SandboxAnswer => ({
    id,
    upper: "",
    error: { name: "Error", code: "", message: "the server of sandboxes ended" },
  });
  let hasEnded = false;
  await new Promise<void>((resolve, reject) => {
    if (child.stdout === null) return reject(new Error("the server has no output"));
    const lines = createInterface({ input: child.stdout });
    lines.on("line", (line) => {
      const answer: Partial<SandboxAnswer> = JSON.parse(line);
      if (answer.id === undefined) resolve();
      else waiting.get(answer.id)?.(answer as SandboxAnswer);
    });
    lines.on("close", () => {
      hasEnded = true;
      for (const [id, settle] of waiting) settle(lost(id));
      reject(new Error("the server of sandboxes did not start"));
    });
  });
  return {
    get: (id) =>
      new Promise((resolve) => {
        if (hasEnded) resolve(lost(id));
        else waiting.set(id, resolve);
      }),
  };
}

/** The server with the floor that it stands on, laid out as an installation has it. */
function layOutServer(program: string, directory: string): string {
  for (const path of [dirname(HELPER), dirname(SERVER)]) mkdirSync(join(directory, path), { recursive: true });
  for (const path of [HELPER, ADDON]) copyFileSync(join(program, path), join(directory, path));
  const bundle = bundles.get(program) ?? bundleServer(program);
  bundles.set(program, bundle);
  writeFileSync(join(directory, SERVER), bundle);
  return join(directory, SERVER);
}

/** By the program, which stays the same while a test file runs. */
const bundles = new Map<string, Uint8Array>();

function bundleServer(program: string): Uint8Array {
  const entry = [
    `import * as runtime from ${JSON.stringify(join(program, "runtime-addon/index.ts"))};`,
    `import { serve } from ${JSON.stringify(join(CHECKOUT, "test/support/sandbox/server.ts"))};`,
    "await serve(runtime);",
  ];
  const esbuild = join(CHECKOUT, "node_modules/.bin/esbuild");
  const args = ["--bundle", "--platform=node", "--format=esm", "--log-level=error"];
  return execFileSync(esbuild, args, { cwd: CHECKOUT, input: entry.join("\n"), maxBuffer: 2 ** 26 });
}

function ownTree(path: string, uid: number): void {
  lchownSync(path, uid, uid);
  if (!lstatSync(path).isDirectory()) return;
  for (const name of readdirSync(path)) ownTree(join(path, name), uid);
}
