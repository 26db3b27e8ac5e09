import { chmodSync, utimesSync } from "node:fs";
import { type ByteString, decodeScan, scan, setAttributes } from "../../runtime-addon/index.ts";

/** Gives everything in a directory, and itself, one time, and the modes that a checkout has under umask 022, whatever ours is. */
export async function makeUniform(directory: string, mtime: number): Promise<void> {
  const entries = decodeScan(await scan(directory, ["" as ByteString], { recursive: true, xattrs: false }));
  const changes = entries.map(({ path, type, mode }) => {
    const wanted = type === "directory" || (mode & 0o100) !== 0 ? 0o755 : 0o644;
    return type === "symlink" ? { path, mtime } : { path, mtime, mode: wanted };
  });
  await setAttributes(directory, changes);
  chmodSync(directory, 0o755);
  utimesSync(directory, mtime, mtime);
}
