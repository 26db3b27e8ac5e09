import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import { bytesOf, setAttributes } from "../../runtime-addon/index.ts";
import type { MountPoints } from "../../store/layer/copy-rootfs.ts";
import { noTime } from "../../store/layer/no-time.ts";
import { makeDirectories } from "../../store/make-directories.ts";

/** Mount points that every container needs. */
const directories = ["proc", "sys", "dev", "etc"] as const;
const files = ["etc/resolv.conf", "etc/hosts"] as const;

/** All that a container needs in its root, with what its mounts and its working directory add. */
export function allMountPoints(extra: MountPoints): MountPoints {
  return { directories: [...directories, ...extra.directories], files: [...files, ...extra.files] };
}

/**
 * Makes the bottom-most lower of a container: empty mount points that show only where the image has no file of that name.
 * So nothing has to be made in the upper, and no stub or changed time is left in a layer.
 */
export async function makeSkeleton(directory: string, extra: MountPoints = { directories: [], files: [] }): Promise<void> {
  const made = new Map<string, number>();
  const makeDirectory = async (path: string): Promise<void> => {
    makeDirectories(join(directory, path), 0o755);
    for (let at = path; at !== "." && at !== ""; at = dirname(at)) made.set(at, 0o755);
  };
  await mkdir(directory, { mode: 0o755 });
  for (const path of [...directories, ...extra.directories.map(relative)]) if (path !== "") await makeDirectory(path);
  for (const path of [...files, ...extra.files.map(relative)]) {
    // Also a directory, for another mount: the sandbox says what is wrong with that.
    if (made.has(path)) continue;
    await makeDirectory(dirname(path));
    await writeFile(join(directory, path), "");
    made.set(path, 0o644);
  }
  // Modes as they are meant, whatever the umask; one time for all machines.
  made.set("", 0o755);
  await setAttributes(
    directory,
    [...made].map(([path, mode]) => ({ path: bytesOf(path), mode, ...noTime })),
  );
}

/** ".." at the root stays there: a working directory may come from a foreign image. */
function relative(path: string): string {
  return posix.resolve("/", path).slice(1);
}
