// What the command line calls, loaded together once it is clear that something is to be built.
export { build } from "./build.ts";
export { dryRun } from "./dry-run.ts";
export { rebuild } from "./rebuild.ts";
