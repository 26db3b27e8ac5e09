import { execFileSync } from "node:child_process";
import { closeSync, ftruncateSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "./temporary.ts";

/** Files that stand in `sparseTar` with holes, by name, and one that has none. */
export interface SparseTar {
  readonly tar: Buffer;
  readonly files: Readonly<Record<string, Buffer>>;
}

/** A tar of GNU tar with two sparse files, which is far smaller than they are. */
export function sparseTar(): SparseTar {
  const directory = temporaryDirectory("sparse-tar");
  const sizes = { one: 1_048_576, two: 2_097_159 };
  for (const [name, size] of Object.entries(sizes)) {
    const file = openSync(join(directory, name), "w", 0o644);
    writeSync(file, Buffer.alloc(4096, `${name} `), 0, 4096, 524_288);
    ftruncateSync(file, size);
    closeSync(file);
  }
  writeFileSync(join(directory, "whole"), "has no holes");
  const names = [...Object.keys(sizes), "whole"];
  const tar = execFileSync("tar", ["--sparse", "--owner=0", "--group=0", "--mtime=@1000000000", "-cf", "-", "-C", directory, ...names]);
  if (tar.length > statSync(join(directory, "one")).size) throw new Error("this file system has no holes");
  return { tar, files: Object.fromEntries(names.map((name) => [name, readFileSync(join(directory, name))])) };
}
