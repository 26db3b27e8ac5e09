import { spawn } from "node:child_process";

export interface CommandResult {
  /** The exit code; 128 + the signal's number when a signal ended it, as a shell says it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  /** The whole environment; absent: ours. */
  readonly env?: NodeJS.ProcessEnv;
  readonly stdin?: string | Uint8Array;
  readonly timeoutMs?: number;
}

const SIGNAL_NUMBERS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGTERM: 15,
};

/** Runs a command to its end and collects what it writes. Rejects when it cannot be started, or does not end in time. */
export function command(argv: readonly [string, ...string[]], options: CommandOptions = {}): Promise<CommandResult> {
  const [file, ...args] = argv;
  const { timeoutMs = 120_000 } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ["pipe", "pipe", "pipe"],
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, timeoutMs);
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    // A command that ends without reading its input closes the pipe; its own status says what matters.
    child.stdin.on("error", () => {});
    child.stdin.end(options.stdin ?? "");
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      const text = {
        stdout: Buffer.concat(stdout).toString("utf8"),
        stderr: Buffer.concat(stderr).toString("utf8"),
      };
      if (late) reject(new Error(`running ${argv.join(" ")}: not done after ${timeoutMs} ms\n${text.stdout}${text.stderr}`));
      else
        resolve({
          code: code ?? 128 + (SIGNAL_NUMBERS[signal ?? ""] ?? 0),
          ...text,
        });
    });
  });
}

/** As `command`, for steps of a test that must succeed: returns stdout, throws with all output otherwise. */
export async function mustRun(argv: readonly [string, ...string[]], options: CommandOptions = {}): Promise<string> {
  const result = await command(argv, options);
  if (result.code !== 0) throw new Error(`running ${argv.join(" ")}: exit code ${result.code}\n${result.stdout}${result.stderr}`);
  return result.stdout;
}
