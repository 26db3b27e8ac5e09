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

/** Puts the busybox base as `busybox` into the store of these options. */
export async function importBusybox(options: CliOptions): Promise<void> {
  await mustTsbuild(
    ["import", "--change", 'CMD ["sh"]', "--change", "ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin", busyboxTar(), "busybox"],
    options,
  );
}

/** Puts the Debian base as `debian` into the store of these options. */
export async function importDebian(options: CliOptions): Promise<void> {
  const path = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  await mustTsbuild(["import", "--change", 'CMD ["bash"]', "--change", path, debianTar(), "debian"], options);
}
