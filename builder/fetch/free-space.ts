import { statfsSync } from "node:fs";
import { TsbuildError } from "../../store/errors.ts";

/** Throws STORE_FULL, which begins with `doing`, where the store's file system has no room for so many bytes: to find that out by filling it would harm everybody on it. */
export function refuseWithoutRoom(root: string, bytes: number, doing: string): void {
  const { bavail, bsize } = statfsSync(root);
  const freeBytes = bavail * bsize;
  if (bytes <= freeBytes) return;
  throw new TsbuildError("STORE_FULL", `${doing}: ${bytes} bytes, and the file system of the store ${root} has room for ${freeBytes}`, {
    hint: "make room on its file system, or use another store: --store DIR or $TSBUILD_ROOT",
  });
}
