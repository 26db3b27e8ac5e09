import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { distributionRepositories } from "./apt-repositories.mjs";
import { findCommand, output, run } from "./command.mjs";
import { packRootfs } from "./rootfs-tar.mjs";

/** Changes when the tree that is made of the same packages would be another one. */
const VERSION = 1;

/** What an image of this base starts with. */
export const DEBIAN_CONFIG = ['CMD ["bash"]', "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];

/** Names the result of makeDebian, for a cache: what it is made of. */
export function debianKey() {
  const release = Object.fromEntries(
    readFileSync("/etc/os-release", "utf8")
      .split("\n")
      .filter((line) => line.includes("="))
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1).replaceAll('"', "")]),
  );
  const suite = release.VERSION_CODENAME;
  if (suite === undefined) throw new Error("making the debian base: /etc/os-release names no VERSION_CODENAME");
  const sources = output(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"]);
  return {
    name: "debian",
    version: VERSION,
    suite,
    distribution: { debian: "Debian", ubuntu: "Ubuntu" }[release.ID] ?? release.ID,
    architecture: output(["dpkg", "--print-architecture"]).trim(),
    sources: [...new Set(sources.trim().split("\n"))].sort(),
    settings: validitySettings(),
  };
}

/**
 * Writes a minimal root file system of the machine's own release to a tar, with debootstrap and the machine's own
 * repositories. Needs root. Nothing in it is newer than the release file it was made from, so that the same archive state
 * gives the same image.
 */
export function makeDebian(file, key) {
  const debootstrap = findCommand("debootstrap");
  if (debootstrap === undefined) throw new Error("making the debian base: debootstrap is missing");
  const repositories = distributionRepositories(key.distribution);
  const main = repositories.find(
    ({ suite, codename, components }) => (suite === key.suite || codename === key.suite) && components.includes("main"),
  );
  if (main === undefined)
    throw new Error(`making the debian base: no repository of ${key.suite} answers (apt's sources name ${key.sources.length})`);
  const epoch = Math.max(...repositories.map(({ date }) => date));
  const work = mkdtempSync(join(tmpdir(), "tsbuild-debian-"));
  const root = join(work, "root");
  // debootstrap fills the directory as it finds it, and other users than root must be able to enter it.
  chmodSync(work, 0o755);
  console.log(`debian: making ${key.suite} (${key.architecture}) with debootstrap, about a minute`);
  try {
    const secure = repositories.some(({ uri }) => uri.startsWith("https:"));
    run(
      [
        debootstrap,
        "--variant=minbase",
        `--arch=${key.architecture}`,
        ...(secure ? ["--include=ca-certificates"] : []),
        ...(main.keyring === undefined ? [] : [`--keyring=${main.keyring}`]),
        key.suite,
        root,
        main.uri,
      ],
      {
        env: {
          ...process.env,
          ...proxies(),
          SOURCE_DATE_EPOCH: String(epoch),
          LC_ALL: "C",
        },
        quiet: true,
      },
    );
    writeSources(root, repositories, key.settings);
    run(["chroot", root, "apt-get", "-q", "update"], {
      env: chrootEnv(),
      quiet: true,
    });
    run(["chroot", root, "apt-get", "-qy", "upgrade"], {
      env: chrootEnv(),
      quiet: true,
    });
    clean(root, epoch);
    packRootfs(root, file, {
      epoch,
      exclude: ["./dev/*", "./proc/*", "./sys/*", "./run/*", "./tmp/*"],
    });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function chrootEnv() {
  return {
    PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
    DEBIAN_FRONTEND: "noninteractive",
    LC_ALL: "C",
    ...proxies(),
  };
}

/** debootstrap downloads with its own tool, which knows the usual variables but not apt's settings. */
function proxies() {
  const env = {};
  for (const scheme of ["http", "https"]) {
    const text = output(["apt-config", "shell", "PROXY", `Acquire::${scheme}::Proxy`]);
    const proxy = /PROXY='(.*)'/.exec(text)?.[1];
    if (proxy !== undefined && proxy !== "DIRECT") env[`${scheme}_proxy`] = proxy;
    else if (process.env[`${scheme}_proxy`] !== undefined) env[`${scheme}_proxy`] = process.env[`${scheme}_proxy`];
  }
  return env;
}

/** A machine that reads a frozen archive tells apt not to mind its dates; the base reads the same archive. */
function validitySettings() {
  return output(["apt-config", "dump"])
    .split("\n")
    .filter((line) => /^Acquire::Check-(Valid-Until|Date) /.test(line));
}

function writeSources(root, repositories, settings) {
  rmSync(join(root, "etc/apt/sources.list"), { force: true });
  const stanzas = repositories.map(({ uri, suite, components, keyring }) => {
    const lines = ["Types: deb", `URIs: ${uri}`, `Suites: ${suite}`, `Components: ${components.join(" ")}`];
    if (keyring !== undefined) {
      const target = existsSync(join(root, keyring)) ? keyring : `/etc/apt/keyrings/${basename(keyring)}`;
      if (target !== keyring) {
        mkdirSync(join(root, "etc/apt/keyrings"), { recursive: true });
        copyFileSync(keyring, join(root, target));
        chmodSync(join(root, target), 0o644);
      }
      lines.push(`Signed-By: ${target}`);
    }
    return lines.join("\n");
  });
  const files = {
    "etc/apt/sources.list.d/debian.sources": `${stanzas.join("\n\n")}\n`,
    // Images hold no package archives, no translations, and start no services while packages are set up.
    "etc/apt/apt.conf.d/docker-clean":
      'APT::Keep-Downloaded-Packages "false";\nDir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\nDPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };\n',
    "etc/apt/apt.conf.d/docker-no-languages": 'Acquire::Languages "none";\n',
    "etc/dpkg/dpkg.cfg.d/docker-apt-speedup": "force-unsafe-io\n",
    "usr/sbin/policy-rc.d": "#!/bin/sh\nexit 101\n",
    ...(settings.length === 0 ? {} : { "etc/apt/apt.conf.d/archive-dates": `${settings.join("\n")}\n` }),
  };
  for (const [path, text] of Object.entries(files)) {
    writeFileSync(join(root, path), text);
    chmodSync(join(root, path), path === "usr/sbin/policy-rc.d" ? 0o755 : 0o644);
  }
}

/** Leaves out what only the making left behind: lists, caches, logs, and what names this machine or this hour. */
function clean(root, epoch) {
  const emptied = ["var/lib/apt/lists", "var/cache/apt", "var/cache/debconf", "var/log", "tmp", "run"];
  const removed = [
    "var/cache/ldconfig/aux-cache",
    "etc/resolv.conf",
    "etc/hostname",
    "var/lib/dpkg/status-old",
    "var/lib/dpkg/available-old",
    "var/lib/dpkg/diversions-old",
    "etc/passwd-",
    "etc/group-",
    "etc/shadow-",
    "etc/gshadow-",
  ];
  for (const path of emptied) run(["find", join(root, path), "-type", "f", "-delete"], { quiet: true });
  for (const path of removed) rmSync(join(root, path), { force: true });
  // systemd's tools fill an empty file at first boot; a filled one would be shared by all containers.
  writeFileSync(join(root, "etc/machine-id"), "");
  const days = Math.floor(epoch / 86_400);
  const shadow = readFileSync(join(root, "etc/shadow"), "utf8");
  writeFileSync(join(root, "etc/shadow"), shadow.replace(/^([^:]*:[^:]*):\d+:/gm, `$1:${days}:`));
}
