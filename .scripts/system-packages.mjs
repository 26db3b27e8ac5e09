// Names the Debian packages that a purpose needs and, as root, installs those that are missing.
//   node .scripts/system-packages.mjs demo|tests|bench… [--no-system-packages]
import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { findCommand, output, run } from "./command.mjs";

/** Package → what shows that it is there: a command, or a file when the name starts with "/". */
const PROOF = {
  acl: "setfacl",
  "apache2-utils": "htpasswd",
  attr: "getfattr",
  buildah: "buildah",
  bzip2: "bzip2",
  "busybox-static": "/usr/share/doc/busybox-static",
  crun: "crun",
  curl: "curl",
  debootstrap: "debootstrap",
  "docker-registry": "docker-registry",
  e2fsprogs: "mkfs.ext4",
  git: "git",
  iproute2: "ip",
  "libarchive-tools": "bsdtar",
  "libcap2-bin": "setcap",
  "libdeflate-dev": "/usr/include/libdeflate.h",
  "openssh-client": "ssh-agent",
  openssl: "openssl",
  passt: "pasta",
  podman: "podman",
  "qemu-system-x86": "qemu-system-x86_64",
  runc: "runc",
  skopeo: "skopeo",
  uidmap: "newuidmap",
  umoci: "umoci",
  "xz-utils": "xz",
  zstd: "zstd",
};

/** What a package's installation starts, and would start with the machine; tests start what they need themselves. */
const UNITS = {
  "docker-registry": ["docker-registry.service"],
  podman: ["podman.socket", "podman.service", "podman-restart.service", "podman-auto-update.service", "podman-auto-update.timer"],
};

const PURPOSES = {
  demo: ["debootstrap"],
  tests: Object.keys(PROOF),
  bench: ["busybox-static", "curl", "docker-registry", "e2fsprogs", "libdeflate-dev", "skopeo"],
};

/** The packages of the purposes that this machine lacks, sorted. */
export function missingPackages(purposes) {
  const wanted = new Set(
    purposes.flatMap((purpose) => {
      const names = PURPOSES[purpose];
      if (names === undefined) throw new Error(`unknown purpose "${purpose}": one of ${Object.keys(PURPOSES).join(", ")}`);
      return names;
    }),
  );
  return [...wanted].sort().filter((name) => !(PROOF[name].startsWith("/") ? existsSync(PROOF[name]) : findCommand(PROOF[name])));
}

/** Whether packages may be installed: not with TSBUILD_NO_SYSTEM_PACKAGES=1, nor with --no-system-packages, which npm keeps to itself as a setting. */
export function mayInstall(env = process.env) {
  return env.TSBUILD_NO_SYSTEM_PACKAGES !== "1" && !["", "false"].includes(env.npm_config_system_packages);
}

/**
 * Installs what the purposes need, where that is possible and wished; else says in one line what is missing and the
 * command that installs it. Returns the packages that are missing afterwards. Throws when apt-get fails.
 */
export function ensureSystemPackages(purposes, { install = mayInstall() } = {}) {
  const missing = missingPackages(purposes);
  if (missing.length === 0) return [];
  const apt = findCommand("apt-get");
  const command = `apt-get install -y --no-install-recommends ${missing.join(" ")}`;
  if (process.getuid() !== 0 || !install || apt === undefined) {
    const how = apt === undefined ? "with this system's package manager" : `with: ${process.getuid() === 0 ? "" : "sudo "}${command}`;
    console.log(`system packages missing for ${purposes.join(", ")}: ${missing.join(" ")} (install them ${how})`);
    return missing;
  }
  console.log(`installing system packages for ${purposes.join(", ")}: ${missing.join(" ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const update = () => run([apt, "update", "-q"], { env, quiet: true });
  const installMissing = () =>
    run([apt, "install", "-y", "-q", "--no-install-recommends", ...missing], {
      env,
      quiet: true,
    });
  console.log(command);
  if (!listsKnow(missing)) {
    update();
    installMissing();
  } else {
    try {
      installMissing();
    } catch {
      // Lists that are weeks old name versions that the archive has dropped; a second failure is the real one.
      update();
      installMissing();
    }
  }
  stopServices(missing);
  return missingPackages(purposes);
}

/** Leaves nothing running, now or after the next boot, that these newly installed packages brought along. */
function stopServices(packages) {
  const units = packages.flatMap((name) => UNITS[name] ?? []);
  if (existsSync("/run/systemd/system")) {
    const known = units.filter((unit) => existsSync(`/lib/systemd/system/${unit}`));
    if (known.length > 0) run(["systemctl", "disable", "--quiet", "--now", ...known], { quiet: true });
    return;
  }
  // In a container the package may have found that it must not start anything.
  const stop = '"/etc/init.d/$0" status && "/etc/init.d/$0" stop; update-rc.d "$0" disable';
  const services = units.map((unit) => unit.replace(/\.service$/, ""));
  for (const name of services.filter((one) => existsSync(`/etc/init.d/${one}`))) run(["sh", "-c", stop, name], { quiet: true });
}

/** Whether apt's lists name an installable version of every package. */
function listsKnow(packages) {
  const policy = output(["apt-cache", "policy", ...packages]);
  return packages.every((name) => {
    const candidate = new RegExp(`^${name.replace(/[+.]/g, "\\$&")}:\\n(?:  .*\\n)*?  Candidate: (.*)$`, "m").exec(policy)?.[1];
    return candidate !== undefined && candidate !== "(none)";
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const args = process.argv.slice(2);
  const purposes = args.filter((arg) => !arg.startsWith("--"));
  const options = args.includes("--no-system-packages") ? { install: false } : {};
  try {
    const unknown = args.find((arg) => arg.startsWith("--") && arg !== "--no-system-packages");
    if (unknown !== undefined || purposes.length === 0) {
      throw new Error(`usage: system-packages.mjs ${Object.keys(PURPOSES).join("|")}… [--no-system-packages]`);
    }
    ensureSystemPackages(purposes, options);
  } catch (error) {
    console.error(`error: ${error.message}`);
    process.exitCode = 1;
  }
}
