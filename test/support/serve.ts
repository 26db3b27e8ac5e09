import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { CLI_PATH } from "./cli.ts";

/** A port of the loopback interface that nobody listens on. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (address !== null && typeof address === "object" ? resolve(address.port) : reject(new Error("no port"))));
    });
  });
}

/**
 * Runs `tsbuild run` with these arguments, waits until `url` answers, hands over to `use`, and stops the container with SIGTERM.
 * Returns the exit code of the run.
 */
export async function whileServing(args: readonly string[], store: string, url: string, use: () => Promise<void>): Promise<number> {
  const child = spawn(process.execPath, ["--", CLI_PATH, "run", "--rm", ...args], {
    env: { ...process.env, TSBUILD_ROOT: store },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const printed: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => printed.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => printed.push(chunk));
  const ended = new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve(code ?? (signal === "SIGKILL" ? 137 : 143)));
  });
  try {
    await answers(url, () => {
      if (child.exitCode !== null) throw new Error(`the container ended with ${child.exitCode}: ${Buffer.concat(printed).toString()}`);
    });
    await use();
  } catch (error) {
    child.kill("SIGKILL");
    await ended;
    throw error;
  }
  child.kill("SIGTERM");
  return ended;
}

async function answers(url: string, check: () => void): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    try {
      await fetch(url, { signal: AbortSignal.timeout(2_000) });
      return;
    } catch (error) {
      check();
      if (Date.now() > deadline) throw new Error(`${url} does not answer`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
