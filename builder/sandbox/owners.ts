import { readFileSync } from "node:fs";
import { parseIdMap } from "../../runtime-addon/index.ts";
import type { OwnerMode } from "../../store/layer-directories.ts";

/** Enough ids for what images hold: as many as a sub-id range has. */
const usualIdCount = 65536;

/** Root of a user namespace with one id can give files to nobody else (user_namespaces(7)). */
export function ownersAsWeAre(): OwnerMode {
  const ids = parseIdMap(readFileSync("/proc/self/uid_map", "utf8")).reduce((sum, { count }) => sum + count, 0);
  return ids >= usualIdCount ? "exact" : "flat";
}
