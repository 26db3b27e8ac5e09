import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { temporaryDirectory } from "./temporary.ts";

export type ContextFile = string | { readonly text: string; readonly mode: number };

/** A build context with these files, by path; modes are 0644 (0755 for directories) whatever the umask is. Gone when the test file is done. */
export function contextDirectory(files: Readonly<Record<string, ContextFile>>): string {
  const root = temporaryDirectory("context");
  writeFiles(root, files);
  return root;
}

/** Writes files below a directory, as `contextDirectory` does, in the given order. */
export function writeFiles(root: string, files: Readonly<Record<string, ContextFile>>): void {
  for (const [path, file] of Object.entries(files)) {
    const absolute = join(root, path);
    for (let parent = dirname(path); parent !== "."; parent = dirname(parent)) {
      mkdirSync(join(root, parent), { recursive: true });
      chmodSync(join(root, parent), 0o755);
    }
    writeFileSync(absolute, typeof file === "string" ? file : file.text);
    chmodSync(absolute, typeof file === "string" ? 0o644 : file.mode);
  }
}
