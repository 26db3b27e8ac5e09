import type { BuildOutput } from "./options.ts";

const ofFiles: ReadonlySet<BuildOutput["type"]> = new Set(["tar", "local", "cacheonly"]);

/** Whether the image goes anywhere where it has a name and a manifest: files of its root file system have neither. */
export function hasNames(outputs: readonly BuildOutput[]): boolean {
  return outputs.some(({ type }) => !ofFiles.has(type));
}
