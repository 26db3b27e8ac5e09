import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import type { Readable, Writable } from "node:stream";
import { helperPath } from "./binding.ts";
import type { CgroupUsage } from "./cgroup-usage.ts";
import { KILL_ALL, type ReportedUsage, type StatusLine, statusReader } from "./protocol.ts";
import { type ReportedFailure, SandboxError, sandboxError } from "./sandbox-error.ts";
import { sandboxFacts } from "./sandbox-facts.ts";
import { planSandbox } from "./sandbox-plan.ts";
import type { SandboxSpec } from "./spec.ts";
import { isSystemError } from "./system-error.ts";

export interface SandboxIo {
  readonly stdin: "null" | "inherit";
  /**
   * Gets what the command writes, as it comes; while a returned promise is pending, that stream waits. One that rejects with EPIPE has no reader any
   * more: the stream is closed, and the command gets SIGPIPE when it writes there. Any other rejection kills everything, and is the result.
   */
  readonly output: "inherit" | ((chunk: Uint8Array, stream: "stdout" | "stderr") => void | Promise<void>);
}

export interface SandboxOptions {
  /** Aborted: SIGTERM to the command, and after graceMs SIGKILL to everything. The promise rejects with its reason. */
  readonly signal?: AbortSignal;
  /** Aborted: SIGKILL to everything at once. The promise rejects with its reason. */
  readonly kill?: AbortSignal;
  /** 2000 where absent. */
  readonly graceMs?: number;
  /** Called once the sandbox's first process exists. */
  readonly onStarted?: (sandbox: RunningSandbox) => void;
  /** Called once everything is dead and the command's end is known, also where the promise then rejects: it was killed for an abort, or since its output could not be taken. */
  readonly onEnded?: (result: SandboxResult) => void;
  /** Path of tsb-init, where it is not the one built here. */
  readonly initPath?: string;
}

export interface RunningSandbox {
  /** The sandbox's first process, as seen from here. */
  readonly pid: number;
  /** Sends a signal, by name or number, to the command; one that comes too late is lost. */
  kill(signal: NodeJS.Signals | number): void;
}

/** How a command ended: by itself, or by a signal (its number). */
export type CommandStatus = { readonly code: number } | { readonly signal: number };

export interface SandboxResult {
  readonly status: CommandStatus;
  /** CPU time and I/O of all processes together; peak memory of all where a memory group counted it, else of the largest. */
  readonly usage: CgroupUsage;
  /** Mount points that the root file system lacked, as paths in it: they are in the upper directory now. Parents come first. */
  readonly created: readonly string[];
  /** What this machine refused and the sandbox can do without, e.g. a view of its control groups. */
  readonly skipped: readonly SandboxError[];
}

/** The exit code by which shells report a status: 128 + n for signal n. */
export function exitCodeOf(status: CommandStatus): number {
  return "code" in status ? status.code : 128 + status.signal;
}

/**
 * Runs a command in a new sandbox and resolves with its own status, whatever it is. All that it started is dead when the promise
 * settles; it also dies with this process, however that ends.
 *
 * Throws SandboxError: COMMAND_NOT_FOUND and COMMAND_NOT_EXECUTABLE (what shells report as 127 and 126) for a command that could not
 * be started, and other codes for a sandbox that could not be made.
 */
export async function runSandbox(spec: SandboxSpec, io: SandboxIo, options: SandboxOptions = {}): Promise<SandboxResult> {
  options.signal?.throwIfAborted();
  options.kill?.throwIfAborted();
  const inherits = io.output === "inherit";
  const plan = planSandbox(spec, sandboxFacts(spec.userNamespace?.pid), !inherits);
  const output = inherits ? "inherit" : "pipe";
  const child = spawn(options.initPath ?? helperPath(), [], {
    stdio: [io.stdin === "null" ? "ignore" : "inherit", output, output, "pipe", "pipe"],
    env: {},
    cwd: "/",
    // The sandbox sees this name, and is not to learn the host's paths.
    argv0: "tsb-init",
  });
  // Undefined where not even the pipes could be made: the error event follows.
  const [, stdout, stderr, channel, status] = (child.stdio as typeof child.stdio | undefined) ?? [];
  const report = new Report();
  // What Node calls a pipe is a socket: the status can be written to as well.
  const control = status as (Readable & Writable) | undefined;
  const write = (byte: number) => void control?.write(Buffer.of(byte));
  control?.on(
    "data",
    statusReader((line) => report.take(line, options, write)),
  );
  // A helper that dies early breaks its channels; its end and its status say what happened.
  control?.on("error", () => {});
  channel?.on("error", () => {});
  const stop = stopOnAbort(write, options);
  const work = [closing(child), sendPlan(child, channel as Writable, plan, spec)];
  if (io.output !== "inherit") {
    for (const [stream, name] of [[stdout, "stdout"] as const, [stderr, "stderr"] as const]) {
      work.push(deliver(stream as Readable | undefined, name, io.output, () => write(KILL_ALL)));
    }
  }
  const results = await Promise.allSettled(work);
  stop();
  const ended = report.result(spec);
  if (ended !== undefined) options.onEnded?.(ended);
  for (const result of results) if (result.status === "rejected") throw result.reason;
  options.kill?.throwIfAborted();
  options.signal?.throwIfAborted();
  if (ended === undefined) throw report.failure(spec);
  return ended;
}

/** What tsb-init has said so far. */
class Report {
  readonly #created: string[] = [];
  readonly #skipped: SandboxError[] = [];
  #error: ReportedFailure | undefined;
  #end: { readonly status: CommandStatus; readonly usage: CgroupUsage } | undefined;

  take(line: StatusLine, options: SandboxOptions, write: (byte: number) => void): void {
    if ("pid" in line)
      options.onStarted?.({ pid: line.pid, kill: (signal) => write(typeof signal === "number" ? signal : constants.signals[signal]) });
    else if ("created" in line) this.#created.push(line.created);
    else if ("skipped" in line) this.#skipped.push(sandboxError(line.skipped));
    // The first failure is the cause of those after it.
    else if ("error" in line) this.#error ??= line.error;
    else {
      this.#end = { status: "exit" in line ? { code: line.exit } : { signal: line.signal }, usage: usageOf(line) };
    }
  }

  /** Undefined where the command did not run, or its end is not known: see failure. */
  result(spec: SandboxSpec): SandboxResult | undefined {
    if (this.#error !== undefined || this.#end === undefined) return undefined;
    const usage = { ...this.#end.usage, ...spec.cgroup?.usage() };
    return { status: this.#end.status, usage, created: this.#created, skipped: this.#skipped };
  }

  failure(spec: SandboxSpec): SandboxError {
    if (this.#error !== undefined) return sandboxError(this.#error);
    const why = spec.cgroup?.usage().oomKilled === true ? "was killed for lack of memory" : "ended without a result";
    return new SandboxError("SANDBOX_LOST", `running ${spec.process.args[0]}: tsb-init ${why}`);
  }
}

/** The groups are entered before the plan is sent, so that nothing of the sandbox ever runs outside them. */
async function sendPlan(child: ChildProcess, channel: Writable | undefined, plan: Buffer, spec: SandboxSpec): Promise<void> {
  if (child.pid === undefined || channel === undefined) return;
  try {
    await spec.cgroup?.add(child.pid);
  } catch (error) {
    // Without a plan the helper ends.
    channel.destroy();
    throw error;
  }
  channel.end(plan);
}

function closing(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("error", (cause) => {
      const message = `starting ${child.spawnfile}: ${cause.message}`;
      // A limit of this process says nothing about the helper.
      const isLimit = isSystemError(cause, "EMFILE", "ENFILE");
      reject(isLimit ? cause : new SandboxError("HELPER_MISSING", message, { cause, hint: "npm run build:addon" }));
    });
    child.once("close", () => resolve());
  });
}

type Output = Exclude<SandboxIo["output"], "inherit">;

/** A reader that fails must not leave the command running; of one that has gone the command hears by itself, since the loop closes the stream. */
async function deliver(source: Readable | undefined, name: "stdout" | "stderr", output: Output, killAll: () => void): Promise<void> {
  if (source === undefined) return;
  try {
    for await (const chunk of source) await output(chunk as Uint8Array, name);
  } catch (error) {
    if (isSystemError(error, "EPIPE")) return;
    killAll();
    throw error;
  }
}

/** Returns what ends the watch. */
function stopOnAbort(write: (byte: number) => void, { signal, kill, graceMs = 2000 }: SandboxOptions): () => void {
  let timer: NodeJS.Timeout | undefined;
  const killAll = () => write(KILL_ALL);
  const terminate = () => {
    write(constants.signals.SIGTERM);
    timer = setTimeout(killAll, graceMs);
  };
  signal?.addEventListener("abort", terminate, { once: true });
  kill?.addEventListener("abort", killAll, { once: true });
  return () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", terminate);
    kill?.removeEventListener("abort", killAll);
  };
}

function usageOf(line: ReportedUsage): CgroupUsage {
  return {
    cpuMs: line.cpuUs / 1000,
    peakMemoryBytes: line.maxRssKb * 1024,
    peakMemoryOf: "largest",
    readBytes: line.blocksRead * 512,
    writtenBytes: line.blocksWritten * 512,
    oomKilled: false,
  };
}
