import { type ChildProcess, spawn } from "node:child_process";

/** What a process writes to one of its outputs, as it comes. */
export interface CollectedOutput {
  text(): string;
  /** The first group of the first match, as soon as there is one. Throws when the output ends without it. */
  until(pattern: RegExp): Promise<string>;
}

/** A server in a process of its own. */
export interface ServiceProcess {
  readonly stdout: CollectedOutput;
  readonly stderr: CollectedOutput;
  /** Ends it with SIGTERM and waits until it is gone; once it is, nothing more happens. */
  close(): Promise<void>;
}

/** Starts a server that stays in the foreground. The caller closes it. */
export function startService(command: string, args: readonly string[], options: { readonly env: NodeJS.ProcessEnv }): ServiceProcess {
  const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  const ended = closed(child);
  return {
    stdout: collect(child.stdout, command),
    stderr: collect(child.stderr, command),
    async close() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

/** A command that cannot be started closes too; that its outputs ended says so to whoever waits for them. */
function closed(child: ChildProcess): Promise<void> {
  child.on("error", () => undefined);
  return new Promise((resolve) => child.on("close", () => resolve()));
}

function collect(stream: NodeJS.ReadableStream, command: string): CollectedOutput {
  let text = "";
  let ended = false;
  let changed = () => {};
  stream.setEncoding("utf8");
  stream.on("data", (part: string) => {
    text += part;
    changed();
  });
  stream.on("close", () => {
    ended = true;
    changed();
  });
  return {
    text: () => text,
    async until(pattern) {
      for (;;) {
        const found = pattern.exec(text)?.[1];
        if (found !== undefined) return found;
        if (ended) throw new Error(`${command} ended without saying ${pattern}: ${text}`);
        await new Promise<void>((resolve) => {
          changed = resolve;
        });
      }
    },
  };
}
