import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { CHECKOUT, type CliOptions, mustTsbuild } from "./cli.ts";

/** The tar of the busybox base. Made once, kept in the makers' own cache; needs no privilege. */
export function busyboxTar(): string {
  return baseTar("busybox");
}

/** The tar of the Debian base; takes a minute on a machine that has none yet. Needs root, debootstrap and a package archive. */
export function debianTar(): string {
  return baseTar("debian");
}

const tars = new Map<string, string>();

function baseTar(name: "busybox" | "debian"): string {
  const known = tars.get(name);
  if (known !== undefined) return known;
  const maker = join(CHECKOUT, ".scripts/bases.mjs");
  const printed = execFileSync(process.execPath, [maker, name, "--path", "--no-system-packages"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  const file = printed.trim().split("\n").at(-1) ?? "";
  tars.set(name, file);
  return file;
}

export async function importBusybox(options: CliOptions): Promise<void> {
  const { mkdtempSync, cpSync, writeFileSync, chmodSync } = await import("node:fs");
  const d = mkdtempSync("/tmp/hack-");
  chmodSync(d, 0o755);
  cpSync(busyboxTar(), d + "/bb.tar");
  writeFileSync(d + "/Dockerfile", 'FROM scratch\nADD bb.tar /\nENV PATH=/usr/sbin:/usr/bin:/sbin:/bin\nCMD ["sh"]\n');
  await mustTsbuild(["-t", "busybox", d], options);
}

/** Puts the Debian base as `debian` into the store of these options. */
export async function importDebian(options: CliOptions): Promise<void> {
  const path = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  const { mkdtempSync, cpSync, writeFileSync, chmodSync } = await import("node:fs");
  const d = mkdtempSync("/tmp/hack-");
  chmodSync(d, 0o755);
  cpSync(debianTar(), d + "/bb.tar");
  writeFileSync(d + "/Dockerfile", "FROM scratch\nADD bb.tar /\n" + path + '\nCMD ["bash"]\n');
  await mustTsbuild(["-t", "debian", d], options);
}
