import { nativeAddon } from "./binding.ts";

/** _exit(2): ends the process at once. process.exit() waits for what the addon's threads and Node's have in hand, for as long as it takes. */
export function endProcess(exitCode: number): never {
  return nativeAddon().endProcess(exitCode);
}
