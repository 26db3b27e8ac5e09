import { posix } from "node:path";

/** What the sandbox itself mounts, and whether what is below it belongs to it as well. */
const kept = [
  { path: "/", below: false },
  { path: "/proc", below: true },
  { path: "/sys", below: true },
  { path: "/dev", below: false },
] as const;

/** The part of the sandbox that a mount on this absolute path would cover; undefined where it may be mounted. */
export function coveredBySandbox(target: string): string | undefined {
  const path = posix.resolve("/", target);
  return kept.find((own) => path === own.path || (own.below && path.startsWith(`${own.path}/`)))?.path;
}
