import { lstatSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fillBusyboxRoot, unpackBusybox } from "./base-busybox.mjs";
import { output, run } from "./command.mjs";
import { downloadPackage, unpackPath } from "./debian-package.mjs";
import { packRootfs } from "./rootfs-tar.mjs";

/** Changes when what is made of the same packages would be another. */
const VERSION = 1;

/** By the machine's own architecture (dpkg's name): one whose programs it cannot run, and the kernel's and qemu's name of that. */
const FOREIGN = {
  amd64: { architecture: "arm64", cpu: "aarch64" },
  arm64: { architecture: "amd64", cpu: "x86_64" },
};

/** The architecture that is foreign here: { own, architecture, cpu }. */
export function foreignArchitecture() {
  const own = output(["dpkg", "--print-architecture"]).trim();
  if (!Object.hasOwn(FOREIGN, own)) throw new Error(`nothing is known to be foreign to ${own}`);
  return { own, ...FOREIGN[own] };
}

/** Names the result of makeEmulator, for a cache. */
export function emulatorKey() {
  return { name: "foreign-emulator", version: VERSION, ...foreignArchitecture() };
}

/**
 * Writes a tar of one file, "emulator": qemu for programs of the foreign architecture, linked statically. The package is unpacked and never
 * installed, since its installation would register it with the kernel.
 */
export function makeEmulator(file) {
  const { cpu } = foreignArchitecture();
  inDirectory("emulator", (work) => {
    const root = join(work, "root");
    mkdirSync(root);
    renameSync(emulatorProgram(work, cpu), join(root, "emulator"));
    packRootfs(root, file, { epoch: 0, owners: "root" });
  });
}

/** From Debian 13 on qemu-user-static has links alone, to the programs of qemu-user, which are static there. */
function emulatorProgram(work, cpu) {
  const old = unpackPath(downloadPackage("qemu-user-static", work), `usr/bin/qemu-${cpu}-static`, join(work, "package"));
  if (lstatSync(old).isFile()) return old;
  return unpackPath(downloadPackage("qemu-user", work), `usr/bin/qemu-${cpu}`, join(work, "package"));
}

/** Names the result of makeForeignBusybox, for a cache. */
export function foreignBusyboxKey() {
  return { name: "foreign-busybox", version: VERSION, ...foreignArchitecture() };
}

/** Writes a root file system as that of makeBusybox to a tar, of the foreign architecture. `emulatorTar` is what makeEmulator wrote. */
export function makeForeignBusybox(file, emulatorTar) {
  inDirectory("busybox", (work) => {
    const { architecture } = foreignArchitecture();
    run(["tar", "--extract", `--file=${emulatorTar}`, `--directory=${work}`, "./emulator"], { quiet: true });
    const binary = unpackBusybox(downloadPackage("busybox-static", work, architecture), join(work, "package"));
    const root = join(work, "root");
    fillBusyboxRoot(root, binary, [join(work, "emulator"), binary]);
    packRootfs(root, file, { epoch: 0, owners: "root" });
  });
}

function inDirectory(name, make) {
  const work = mkdtempSync(join(tmpdir(), `tsbuild-foreign-${name}-`));
  try {
    make(work);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
