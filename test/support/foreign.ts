import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { CHECKOUT } from "./cli.ts";
import { temporaryDirectory } from "./temporary.ts";

/** Programs of an architecture that this machine cannot run by itself, and what can. */
export interface ForeignPrograms {
  /** As images name it. */
  readonly architecture: string;
  /** As uname(1) says it. */
  readonly cpu: keyof typeof ELF_MAGIC;
  /** The tar of a root file system of busybox. */
  readonly rootfs: string;
  /** A program of this machine that runs them, linked statically. */
  readonly emulator: string;
}

/** Downloaded once and kept in the makers' own cache; needs no privilege, but a package archive. */
export function foreignPrograms(): ForeignPrograms {
  const printed = execFileSync(process.execPath, [join(CHECKOUT, ".scripts/foreign.mjs")], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  const { architecture, cpu, rootfs, emulator: tar } = JSON.parse(printed) as ForeignPrograms;
  const directory = temporaryDirectory("emulator");
  execFileSync("tar", ["--extract", `--file=${tar}`, `--directory=${directory}`, "./emulator"]);
  return { architecture, cpu, rootfs, emulator: join(directory, "emulator") };
}

/** How the beginning of a program is recognised, as Debian's packages tell the kernel: magic and mask (Documentation/admin-guide/binfmt-misc.rst). */
const ELF_MASK = "ffffffffffffff00fffffffffffffffffeffffff";
const ELF_MAGIC = {
  aarch64: "7f454c460201010000000000000000000200b700",
  x86_64: "7f454c4602010100000000000000000002003e00",
} as const;

/** As Debian's packages register it, the program opened at once (F) or not: it gets the command opened (O), and its first word as it is (P). */
export type EmulatorFlags = "OPF" | "OP";

export interface EmulatorHandler {
  readonly programs: ForeignPrograms;
  readonly flags: EmulatorFlags;
}

/**
 * Words to put before a command that is to run in a user namespace of its own, which has a list of emulators of its own: this one, with these
 * flags, or none. The machine's list stays as it is.
 */
export function withEmulator(handler?: EmulatorHandler): readonly string[] {
  const mount = "mount -t binfmt_misc none /proc/sys/fs/binfmt_misc";
  const register = 'printf %s "$0" > /proc/sys/fs/binfmt_misc/register';
  const script = [mount, ...(handler === undefined ? [] : [register]), 'exec "$@"'].join(" && ");
  return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, handler === undefined ? "-" : registration(handler)];
}

function registration({ programs: { cpu, emulator }, flags }: EmulatorHandler): string {
  const escaped = (hex: string) => hex.replace(/../g, "\\x$&");
  return `:foreign:M::${escaped(ELF_MAGIC[cpu])}:${escaped(ELF_MASK)}:${emulator}:${flags}`;
}
