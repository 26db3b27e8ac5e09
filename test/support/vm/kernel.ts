import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Debian's kernel for virtual machines, unpacked and never installed. */
export interface DebianKernel {
  /** As `uname -r` tells it in the machine. */
  readonly release: string;
  readonly image: string;
  /** Below it lie the modules' files. */
  readonly modules: string;
}

const META_PACKAGE = "linux-image-cloud-amd64";

/**
 * The kernel that apt takes for the newest; downloaded once, and kept in a cache of ours. Throws where there is no apt, or its lists name no kernel, or
 * the archive does not answer and none has been kept.
 */
export function debianKernel(): DebianKernel {
  const release = newestRelease();
  const kept = join(cacheDirectory(), release);
  if (!existsSync(kept)) download(release, kept);
  return { release, image: join(kept, `boot/vmlinuz-${release}`), modules: join(kept, `lib/modules/${release}/kernel`) };
}

function newestRelease(): string {
  let release = releaseInLists();
  if (release === undefined) {
    // The lists of a new machine are empty.
    execFileSync("apt-get", ["update", "-q"], { stdio: ["ignore", "ignore", "inherit"] });
    release = releaseInLists();
  }
  if (release === undefined) throw new Error(`apt's lists name no kernel that ${META_PACKAGE} depends on`);
  return release;
}

function releaseInLists(): string | undefined {
  const { stdout } = spawnSync("apt-cache", ["depends", "--important", META_PACKAGE], { encoding: "utf8" });
  return /^\s*Depends: linux-image-(\S+)$/m.exec(stdout ?? "")?.[1];
}

/** Outside of any checkout, beside the base tars. */
function cacheDirectory(): string {
  if (process.getuid?.() === 0) return "/var/cache/tsbuild-kernels";
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "tsbuild-kernels");
}

function download(release: string, destination: string): void {
  const parent = cacheDirectory();
  mkdirSync(parent, { recursive: true });
  const work = mkdtempSync(join(parent, "download-"));
  try {
    // Without its sandbox user apt can write into a directory that is ours alone.
    const options = ["-q", "-o", "APT::Sandbox::User=root"];
    execFileSync("apt-get", [...options, "download", `linux-image-${release}`], { cwd: work, stdio: ["ignore", "ignore", "inherit"] });
    const [name] = readdirSync(work).filter((file) => file.endsWith(".deb"));
    if (name === undefined) throw new Error(`apt-get downloaded no package for linux-image-${release}`);
    const unpacked = join(work, "unpacked");
    execFileSync("dpkg", ["-x", join(work, name), unpacked], { stdio: ["ignore", "ignore", "inherit"] });
    try {
      renameSync(unpacked, destination);
    } catch (error) {
      // Another process was faster.
      if (!existsSync(destination)) throw error;
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  for (const name of readdirSync(parent)) {
    if (name !== release && !name.startsWith("download-")) rmSync(join(parent, name), { recursive: true, force: true });
  }
}
