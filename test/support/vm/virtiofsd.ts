import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** Shares this machine's root with one virtual machine. */
export interface Virtiofsd {
  readonly socket: string;
  /** Ends it; it ends by itself with the virtual machine. */
  stop(): Promise<void>;
}

const PROGRAMS = ["/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd"];

/** Its program (packages qemu-system-common, later virtiofsd); undefined where it is not installed. */
export function virtiofsdProgram(): string | undefined {
  return PROGRAMS.find((path) => existsSync(path));
}

/**
 * Starts virtiofsd with its socket in `directory`. In a mount namespace of its own the root is mounted read-only first, so that nothing
 * in the virtual machine can write to it. Needs root.
 */
export async function startVirtiofsd(directory: string): Promise<Virtiofsd> {
  const program = virtiofsdProgram();
  if (program === undefined) throw new Error("virtiofsd is not installed");
  const socket = join(directory, "root.sock");
  const script = [
    "set -e",
    'mount --bind "$1" "$1"',
    "mount -o remount,bind,ro /",
    // For its pid file.
    "mount -t tmpfs run /run",
    'ulimit -n "$(ulimit -H -n)"',
    'exec "$2" --rlimit-nofile=0 --socket-path="$3" -o source=/ -o cache=always -o sandbox=chroot -f',
  ].join("\n");
  const args = ["--mount", "--propagation", "private", "sh", "-c", script, "sh", directory, program, socket];
  const child = spawn("unshare", args, { stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(child, "close");
  const messages: string[] = [];
  child.stderr.on("data", (chunk: Buffer) => messages.push(chunk.toString("utf8")));
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
  };
  for (let attempt = 0; !existsSync(socket); attempt++) {
    if (child.exitCode !== null || attempt === 1000) {
      await stop();
      throw new Error(`starting virtiofsd: ${messages.join("").trim()}`);
    }
    await delay(10);
  }
  return { socket, stop };
}
