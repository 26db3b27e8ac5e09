import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { isSystemError } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../../store/errors.ts";
import type { Abortable } from "../../store/file-bytes.ts";

export interface GitCall extends Abortable {
  /** Where it runs; nothing above is looked at. */
  readonly cwd: string;
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** It is ended when it has neither written nor said anything for so long. Absent: it may be silent. */
  readonly silenceMs?: number;
  readonly input?: string;
  /** Takes what it writes as it comes, however much, in place of `output`; where this throws, git is ended, and that is what is thrown. */
  readonly onOutput?: (chunk: Buffer) => void;
}

export interface GitEnded {
  /** Null where a signal ended it. */
  readonly code: number | null;
  readonly output: Buffer;
  /** The end of what it said, progress among it. */
  readonly said: string;
  /** It was ended for its silence. */
  readonly silent: boolean;
}

const largestOutput = 16 * 1024 * 1024;
const saidLength = 16 * 1024;

/**
 * Runs git to its end, whatever it comes to, in a process group without a terminal, which is gone when this settles. Throws GIT_MISSING, GIT_FAILED for more output than
 * any of our calls expects, and `signal.reason`.
 */
export async function runGit(args: readonly string[], call: GitCall): Promise<GitEnded> {
  const { cwd, env, signal } = call;
  signal?.throwIfAborted();
  const child = spawn("git", args, { cwd, env, detached: true, stdio: ["pipe", "pipe", "pipe"] });
  try {
    await once(child, "spawn");
  } catch (error) {
    throw isSystemError(error, "ENOENT") ? missing(error) : error;
  }
  return collect(child, call);
}

async function collect(
  child: ChildProcessByStdio<Writable, Readable, Readable>,
  { signal, silenceMs, input = "", onOutput }: Pick<GitCall, "signal" | "silenceMs" | "input" | "onOutput">,
): Promise<GitEnded> {
  const ended = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  const output: Buffer[] = [];
  let outputBytes = 0;
  let said = "";
  let silent = false;
  let stopped: { readonly why: unknown } | undefined;

  const collectOutput = (chunk: Buffer) => {
    outputBytes += chunk.length;
    if (outputBytes > largestOutput) throw new TsbuildError("GIT_FAILED", `running git: it writes more than ${largestOutput} bytes`);
    output.push(chunk);
  };
  const take = onOutput ?? collectOutput;
  const stop = (why: unknown) => {
    stopped ??= { why };
    killGroup(child.pid);
  };
  const onAbort = () => stop(signal?.reason);
  const onSilence = () => {
    silent = true;
    killGroup(child.pid);
  };
  const timer = silenceMs === undefined ? undefined : setTimeout(onSilence, silenceMs);
  child.stdout.on("data", (chunk: Buffer) => {
    timer?.refresh();
    if (stopped !== undefined) return;
    try {
      take(chunk);
    } catch (error) {
      stop(error);
    }
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    timer?.refresh();
    said = (said + text).slice(-saidLength);
  });
  signal?.addEventListener("abort", onAbort);
  if (signal?.aborted === true) onAbort();
  try {
    // One that does not read its input says why by its exit code.
    child.stdin.on("error", () => undefined).end(input);
    const [code] = await ended;
    if (stopped !== undefined) throw stopped.why;
    return { code, output: Buffer.concat(output), said, silent };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

/** git, and what it started: ssh, helpers of transports, the unpacker. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if (!isSystemError(error, "ESRCH")) throw error;
  }
}

function missing(cause: unknown): TsbuildError {
  return new TsbuildError("GIT_MISSING", "running git: there is no such program on the PATH", {
    cause,
    hint: "install it: the package is called git (apt-get install git, apk add git, dnf install git)",
  });
}
