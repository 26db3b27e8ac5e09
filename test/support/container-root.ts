import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { CLI_PATH } from "./cli.ts";

/**
 * Starts a container that sleeps, and hands its root directory over as this machine's own tools can read it: through
 * /proc/PID/root, with the overlay as the kernel shows it. Needs root. The container is gone afterwards.
 */
export async function withContainerRoot<T>(
  image: string,
  options: { readonly store: string },
  use: (root: string) => Promise<T>,
): Promise<T> {
  // The length of the sleep is what tells this container's process from others.
  const seconds = String(100_000 + Math.floor(Math.random() * 1_000_000));
  const child = spawn(process.execPath, ["--", CLI_PATH, "run", "--rm", image, "sleep", seconds], {
    env: { ...process.env, TSBUILD_ROOT: options.store },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const errors: Buffer[] = [];
  child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  try {
    const pid = await sleeper(seconds, () => {
      if (child.exitCode !== null) throw new Error(`the container ended: ${Buffer.concat(errors).toString()}`);
    });
    return await use(`/proc/${pid}/root/`);
  } finally {
    child.kill("SIGTERM");
    // sleep as the container's only command has no handler of its own; a second signal is not ignored.
    const timer = setTimeout(() => child.kill("SIGKILL"), 5_000);
    await ended;
    clearTimeout(timer);
  }
}

async function sleeper(seconds: string, check: () => void): Promise<string> {
  const deadline = Date.now() + 20_000;
  while (Date.now() < deadline) {
    const pid = readdirSync("/proc").find((name) => /^\d+$/.test(name) && commandLine(name) === `sleep\0${seconds}\0`);
    if (pid !== undefined) return pid;
    check();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("the container's command did not start");
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    // The process ended between the listing and the reading.
    return "";
  }
}
