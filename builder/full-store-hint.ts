import { statfsSync } from "node:fs";

/** Less is no room for whatever a command wanted to write. */
const noRoomBytes = 64 * 1024;

/** What to say where a command may have failed since there was no room for what it wrote; undefined where there is some. */
export function fullStoreHint(storeRoot: string): string | undefined {
  const { bavail, bsize } = statfsSync(storeRoot);
  if (bavail * bsize >= noRoomBytes) return undefined;
  return `the file system of the store ${storeRoot} is full: make room, or use another store with --store DIR`;
}
