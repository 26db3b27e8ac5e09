import { afterAll, expect } from "vitest";
import { childrenOf, mountPoints } from "./leftovers.ts";

// A setup file: after every test file, no mount and no child process is left. Temporary directories and cgroups, which test files
// that run at the same time also make, are looked at after the whole run.
const mountsBefore = mountPoints();
const childrenBefore = childrenOf(process.pid);

afterAll(() => {
  expect(mountPoints(), "mounts left behind").toEqual(mountsBefore);
  // esbuild's library keeps a process of its own for as long as this one lives.
  const left = childrenOf(process.pid).filter((child) => !childrenBefore.includes(child) && !child.endsWith(" esbuild"));
  expect(left, "child processes left behind").toEqual([]);
});
