import { readFileSync } from "node:fs";
import type { IdMap, IdRange } from "./id-map.ts";

/** As many ids as images use. */
const COUNT = 65_536;
/** Above what distributions give to users and systemd to containers. */
const DEFAULT_FIRST = 2_000_000_000;
const OWNER = "tsbuild";

/**
 * The map of a user namespace that root makes so that the sandbox's root is not the machine's: the first range of 65536 ids that subuid(5) and
 * subgid(5) give to "tsbuild", else 2000000000 and up.
 */
export function planAutoMap(subuid: string, subgid: string): IdMap {
  const range = (text: string): IdRange[] => [{ inside: 0, outside: firstOf(text), count: COUNT }];
  return { kind: "ranges", uid: range(subuid), gid: range(subgid), writers: undefined };
}

export function readAutoMap(): IdMap {
  return planAutoMap(textOf("/etc/subuid"), textOf("/etc/subgid"));
}

function firstOf(text: string): number {
  for (const line of text.split("\n")) {
    const [, owner, first, count] = /^([^:#]+):(\d+):(\d+)\s*$/.exec(line) ?? [];
    if (owner === OWNER && Number(first) > 0 && Number(count) >= COUNT) return Number(first);
  }
  return DEFAULT_FIRST;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Missing or unreadable: nobody has a range.
    return "";
  }
}
