import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { output, run } from "./command.mjs";
import { downloadPackage } from "./debian-package.mjs";
import { packRootfs } from "./rootfs-tar.mjs";

/** Changes when the tree that is made of the same package would be another one. */
const VERSION = 1;

/** What an image of this base starts with. */
export const BUSYBOX_CONFIG = ['CMD ["sh"]', "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];

/** Names the result of makeBusybox, for a cache: what it is made of. */
export function busyboxKey() {
  return {
    name: "busybox",
    version: VERSION,
    architecture: output(["dpkg", "--print-architecture"]).trim(),
    installed: installedVersion() ?? "",
  };
}

/**
 * Writes a root file system of Debian's static busybox to a tar: the binary, one link an applet, the usual directories,
 * passwd and group. Needs no root: the package is only downloaded and unpacked.
 */
export function makeBusybox(file) {
  const work = mkdtempSync(join(tmpdir(), "tsbuild-busybox-"));
  try {
    const isInstalled = installedVersion() !== undefined;
    const binary = isInstalled ? "/bin/busybox" : unpackBusybox(downloadPackage("busybox-static", work), join(work, "package"));
    const root = join(work, "root");
    fillBusyboxRoot(root, binary);
    packRootfs(root, file, { epoch: 0, owners: "root" });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function installedVersion() {
  if (!existsSync("/usr/share/doc/busybox-static") || !existsSync("/bin/busybox")) return undefined;
  return output(["dpkg-query", "--show", "--showformat=${Version}", "busybox-static"]);
}

/** The program of a busybox-static package, unpacked below `target`. */
export function unpackBusybox(archive, target) {
  run(["dpkg-deb", "--extract", archive, target], { quiet: true });
  const binary = ["bin/busybox", "usr/bin/busybox"].map((path) => join(target, path)).find((path) => existsSync(path));
  if (binary === undefined) throw new Error(`making a base of busybox: ${archive} has no busybox`);
  return binary;
}

const DIRECTORIES = {
  "": 0o755,
  bin: 0o755,
  etc: 0o755,
  home: 0o755,
  root: 0o700,
  tmp: 0o1777,
  usr: 0o755,
  "usr/bin": 0o755,
  var: 0o755,
  "var/tmp": 0o1777,
};

/** Fills a directory with the root file system around this busybox. `command` runs it, where the machine alone does not. */
export function fillBusyboxRoot(root, binary, command = [binary]) {
  for (const [path, mode] of Object.entries(DIRECTORIES)) {
    mkdirSync(join(root, path), { recursive: true });
    // The mode given to mkdir is cut by the umask.
    chmodSync(join(root, path), mode);
  }
  copyFileSync(binary, join(root, "bin/busybox"));
  chmodSync(join(root, "bin/busybox"), 0o755);
  for (const applet of output([...command, "--list"])
    .trim()
    .split("\n")) {
    if (applet !== "busybox") symlinkSync("busybox", join(root, "bin", applet));
  }
  symlinkSync("../../bin/env", join(root, "usr/bin/env"));
  const files = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nnobody:x:65534:65534:nobody:/home:/bin/false\n",
    "etc/group": "root:x:0:\ndaemon:x:1:\nnogroup:x:65534:\nusers:x:100:\n",
    "etc/shadow": "root:*::0:99999:7:::\ndaemon:*::0:99999:7:::\nnobody:*::0:99999:7:::\n",
  };
  for (const [path, text] of Object.entries(files)) {
    writeFileSync(join(root, path), text);
    chmodSync(join(root, path), path === "etc/shadow" ? 0o640 : 0o644);
  }
}
