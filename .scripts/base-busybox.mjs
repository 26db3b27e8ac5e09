import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findCommand, output, run } from "./command.mjs";
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
    const binary = installedVersion() === undefined ? downloadedBinary(work) : "/bin/busybox";
    const root = join(work, "root");
    fillRoot(root, binary);
    packRootfs(root, file, { epoch: 0, owners: "root" });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function installedVersion() {
  if (!existsSync("/usr/share/doc/busybox-static") || !existsSync("/bin/busybox")) return undefined;
  return output(["dpkg-query", "--show", "--showformat=${Version}", "busybox-static"]);
}

function downloadedBinary(work) {
  if (findCommand("apt-get") === undefined || findCommand("dpkg-deb") === undefined) {
    throw new Error("making the busybox base: apt-get and dpkg-deb are needed to download busybox-static");
  }
  const download = join(work, "download");
  mkdirSync(download);
  const fetch = (options) => run(["apt-get", ...options, "-q", "download", "busybox-static"], { cwd: download, quiet: true });
  try {
    fetch([]);
  } catch {
    // A new machine has no package lists, or old ones; if that is not the cause, the second attempt says what is.
    fetch(privateLists(work));
  }
  const [archive] = readdirSync(download).filter((name) => name.endsWith(".deb"));
  if (archive === undefined) throw new Error("making the busybox base: apt-get download busybox-static left no package");
  run(["dpkg-deb", "--extract", join(download, archive), join(work, "package")], { quiet: true });
  for (const path of ["bin/busybox", "usr/bin/busybox"]) {
    if (existsSync(join(work, "package", path))) return join(work, "package", path);
  }
  throw new Error(`making the busybox base: ${archive} has no busybox`);
}

/** An ordinary user cannot fetch package lists for the machine: they go to a directory of our own. Returns apt's options for it. */
function privateLists(work) {
  const lists = join(work, "lists");
  mkdirSync(join(lists, "partial"), { recursive: true });
  const options = ["-o", `Dir::State::lists=${lists}`, "-o", `Dir::Cache=${join(work, "cache")}`];
  mkdirSync(join(work, "cache", "archives", "partial"), { recursive: true });
  run(["apt-get", ...options, "-q", "update"], { quiet: true });
  return options;
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

function fillRoot(root, binary) {
  for (const [path, mode] of Object.entries(DIRECTORIES)) {
    mkdirSync(join(root, path), { recursive: true });
    // The mode given to mkdir is cut by the umask.
    chmodSync(join(root, path), mode);
  }
  copyFileSync(binary, join(root, "bin/busybox"));
  chmodSync(join(root, "bin/busybox"), 0o755);
  for (const applet of output([binary, "--list"]).trim().split("\n")) {
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
