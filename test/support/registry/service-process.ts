import { spawn } from "node:child_process";

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
  /** Ends it with SIGTERM and waits until it is gone. */
  close(): Promise<void>;
}

/** Starts a server that stays in the foreground, and ends with this process at the latest. The caller closes it. */
export function startService(argv: readonly [string, ...string[]], options: { readonly env: NodeJS.ProcessEnv }): ServiceProcess {
  const child = spawn("setpriv", ["--pdeathsig", "TERM", "--", ...argv], { ...options, stdio: ["ignore", "pipe", "pipe"] });
  // Without setpriv the outputs end at once, and whoever waits for them hears of it.
  child.on("error", () => undefined);
  const closed = new Promise<void>((resolve) => child.on("close", () => resolve()));
  return {
    stdout: collect(child.stdout, argv[0]),
    stderr: collect(child.stderr, argv[0]),
    async close() {
      child.kill("SIGTERM");
      await closed;
    },
  };
}

function collect(stream: NodeJS.ReadableStream, name: string): CollectedOutput {
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
        if (ended) throw new Error(`${name} ended without saying ${pattern}: ${text}`);
        await new Promise<void>((resolve) => {
          changed = resolve;
        });
      }
    },
  };
}
