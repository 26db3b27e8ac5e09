import { execFileSync, spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { release, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipLibrary } from "../../runtime-addon/index.ts";
import { virtiofsdProgram } from "./vm/virtiofsd.ts";

/** One thing that a test needs and that a machine may lack. */
export interface Requirement {
  /** What is missing when the probe fails, and what gives it. */
  readonly reason: string;
  /** Present when CI machines cannot offer it, with why; a skip for another reason fails there. */
  readonly missingInCi?: string;
  readonly holds: () => boolean;
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

function succeeds(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

function onPath(name: string): boolean {
  const directories = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return directories.some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function tool(command: string, debianPackage: string): Requirement {
  return {
    reason: `${command} is not installed (package ${debianPackage})`,
    holds: () => onPath(command),
  };
}

function privateMountsWork(): boolean {
  return isRoot() && succeeds("unshare", ["--mount", "mount", "-t", "tmpfs", "none", "/mnt"]);
}

function userNamespacesWork(): boolean {
  return succeeds("unshare", ["--user", "--map-root-user", "true"]);
}

function privateBinfmtWorks(): boolean {
  const mount = ["mount", "-t", "binfmt_misc", "none", "/proc/sys/fs/binfmt_misc"];
  return succeeds("unshare", ["--user", "--map-root-user", "--mount", ...mount]);
}

function kernelScopesSockets(): boolean {
  const [major = 0, minor = 0] = release().split(".").map(Number);
  const modules = "/sys/kernel/security/lsm";
  const hasLandlock = !existsSync(modules) || readFileSync(modules, "utf8").includes("landlock");
  return (major > 6 || (major === 6 && minor >= 12)) && hasLandlock;
}

function cgroupsAreWritable(): boolean {
  // Each line of /proc/self/cgroup is hierarchy:controllers:path; one writable directory of a controller is enough.
  const mounts = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => / - cgroup2? /.test(line));
  return mounts.some((line) => {
    try {
      accessSync(line.split(" ")[4] ?? "", constants.W_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function groupIsDelegated(): boolean {
  const [, own] = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8")) ?? [];
  const parent = join("/sys/fs/cgroup", own ?? "/", "..");
  try {
    for (const name of ["", "cgroup.procs", "cgroup.subtree_control"]) accessSync(join(parent, name), constants.W_OK);
    const controllers = readFileSync(join(parent, "cgroup.controllers"), "utf8").trim().split(" ");
    return own !== "/" && ["cpu", "memory", "pids"].every((name) => controllers.includes(name));
  } catch {
    return false;
  }
}

/** Every requirement a test may name, and how it is found out. The only reasons for which a test may be skipped. */
export const REQUIREMENTS = {
  root: { reason: "not root", holds: isRoot },
  privateMounts: {
    reason: "a private mount namespace cannot be made (CAP_SYS_ADMIN is missing)",
    holds: privateMountsWork,
  },
  loopMounts: {
    reason: "no loop device can be mounted",
    missingInCi: "containers of CI services have no loop devices",
    holds: loopMountWorks,
  },
  sandbox: {
    reason: "neither mounts as root nor user namespaces are allowed here",
    holds: () => privateMountsWork() || userNamespacesWork(),
  },
  userNamespaces: {
    reason: "user namespaces are not allowed here",
    holds: userNamespacesWork,
  },
  subIds: {
    reason: "newuidmap is not installed, or not setuid root (package uidmap)",
    holds: () => onPath("newuidmap") && onPath("newgidmap"),
  },
  cgroups: {
    reason: "no cgroup directory is writable",
    missingInCi: "containers of CI services mount /sys/fs/cgroup read-only",
    holds: cgroupsAreWritable,
  },
  delegatedGroup: {
    reason: "the group above ours in a unified hierarchy is not ours, or lacks controllers",
    missingInCi: "it is the case in the virtual machine of npm run test:vm, where these tests run",
    holds: groupIsDelegated,
  },
  privateBinfmt: {
    reason: "binfmt_misc cannot be mounted in a user namespace (Linux 6.7 with binfmt_misc is needed)",
    missingInCi: "runners have the kernels of their distributions, which may be older or lack it",
    holds: privateBinfmtWorks,
  },
  foreignPackages: {
    reason: "the package repositories are not Debian's, which hold packages of other architectures too",
    missingInCi: "runners may be of a distribution that keeps those in repositories of their own",
    holds: () => existsSync("/etc/os-release") && /^ID="?debian"?$/m.test(readFileSync("/etc/os-release", "utf8")),
  },
  packageArchive: {
    reason: "apt's repositories do not answer",
    holds: () => onPath("apt-get") && archiveAnswers(),
  },
  isolatedNetwork: {
    reason: "pasta cannot connect a network namespace (package passt, /dev/net/tun and a default route are needed)",
    missingInCi: "containers of CI services may have neither /dev/net/tun nor a route",
    holds: pastaWorks,
  },
  isolatedIpv6: {
    reason: "pasta cannot connect a network namespace, or there is no default route of IPv6",
    missingInCi: "machines of CI services may have no IPv6",
    holds: () => hasIpv6Route() && pastaWorks(),
  },
  socketScopes: {
    reason: "the kernel cannot keep a process from abstract sockets (Linux 6.12 with Landlock is needed)",
    missingInCi: "runners have the kernels of their distributions, which may be older",
    holds: kernelScopesSockets,
  },
  acl: tool("setfacl", "acl"),
  attr: tool("getfattr", "attr"),
  buildah: tool("buildah", "buildah"),
  bsdtar: tool("bsdtar", "libarchive-tools"),
  crun: tool("crun", "crun"),
  debootstrap: tool("debootstrap", "debootstrap"),
  dockerDaemon: {
    reason: "a docker daemon cannot be started (root, writable cgroups, dockerd and docker are needed: package docker.io)",
    missingInCi: "tests do not install a daemon whose package starts it, as root, on every boot",
    holds: () => privateMountsWork() && cgroupsAreWritable() && onPath("dockerd") && onPath("docker"),
  },
  dockerRegistry: tool("docker-registry", "docker-registry"),
  git: tool("git", "git"),
  iproute: tool("ip", "iproute2"),
  htpasswd: tool("htpasswd", "apache2-utils"),
  libdeflate: {
    reason: "the addon was built without libdeflate (package libdeflate-dev, then npm run build:addon)",
    holds: () => gzipLibrary() !== undefined,
  },
  mkfs: tool("mkfs.ext4", "e2fsprogs"),
  openssl: tool("openssl", "openssl"),
  podman: tool("podman", "podman"),
  python: tool("python3", "python3"),
  setcap: tool("setcap", "libcap2-bin"),
  runc: tool("runc", "runc"),
  skopeo: tool("skopeo", "skopeo"),
  umoci: tool("umoci", "umoci"),
  virtualMachine: {
    reason: "no virtual machine can be started (root, qemu-system-x86_64, virtiofsd, busybox-static and mkfs.ext4 are needed)",
    holds: () =>
      process.arch === "x64" &&
      isRoot() &&
      privateMountsWork() &&
      onPath("qemu-system-x86_64") &&
      onPath("mkfs.ext4") &&
      virtiofsdProgram() !== undefined,
  },
  xz: tool("xz", "xz-utils"),
  bzip2: tool("bzip2", "bzip2"),
  zstd: tool("zstd", "zstd"),
} satisfies Record<string, Requirement>;

export type RequirementName = keyof typeof REQUIREMENTS;

function loopMountWorks(): boolean {
  if (!isRoot() || !onPath("mkfs.ext4")) return false;
  const script = 'set -e; f=$(mktemp); trap "rm -f $f" EXIT; truncate -s 8M "$f"; mkfs.ext4 -q "$f"; mount -o loop "$f" /mnt; umount /mnt';
  return succeeds("unshare", ["--mount", "sh", "-c", script]);
}

/** A default route of IPv6 (proc_pid_net(5), "ipv6_route"): destination and length, source and length, gateway, metric, and so on. */
function hasIpv6Route(): boolean {
  if (!existsSync("/proc/net/ipv6_route")) return false;
  const rows = readFileSync("/proc/net/ipv6_route", "latin1").split("\n");
  return rows.some((row) => /^0{32} 00 0{32} 00 (?!0{32})/.test(row));
}

let pastaAnswer: boolean | undefined;

/** By what the program itself finds out, since pasta alone may never end; once, since it takes a moment and two requirements ask it. */
function pastaWorks(): boolean {
  pastaAnswer ??= onPath("pasta") && probeSaysPastaWorks();
  return pastaAnswer;
}

function probeSaysPastaWorks(): boolean {
  const store = mkdtempSync(join(tmpdir(), "tsbuild-pasta-"));
  try {
    const cli = fileURLToPath(new URL("../../dist/tsbuild.js", import.meta.url));
    const { stdout } = spawnSync(process.execPath, ["--", cli, "info", "--store", store, "--format", "json"], {
      encoding: "utf8",
      timeout: 60_000,
    });
    const { probes } = JSON.parse(stdout) as { readonly probes: readonly { readonly name: string; readonly ok: boolean }[] };
    return probes.some(({ name, ok }) => name === "pasta" && ok);
  } finally {
    rmSync(store, { recursive: true, force: true });
  }
}

function archiveAnswers(): boolean {
  const targets = execFileSync("apt-get", ["indextargets", "--format", "$(REPO_URI)dists/$(RELEASE)/InRelease", "Created-By: Packages"], {
    encoding: "utf8",
  });
  const url = targets.split("\n")[0];
  if (url === undefined || url === "") return false;
  const directory = mkdtempSync(join(tmpdir(), "tsbuild-archive-"));
  try {
    const args = ["-q", "-o", "Acquire::Retries=1", "download-file", url, join(directory, "InRelease")];
    return spawnSync("/usr/lib/apt/apt-helper", args, { stdio: "ignore", timeout: 20_000 }).status === 0;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
