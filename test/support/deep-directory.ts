import { spawnSync } from "node:child_process";

/**
 * Makes directories in each other below a directory, so deep that no path of a system call leads to the innermost (PATH_MAX), in which a file with this content lies. Whoever makes
 * one removes it with removeTree: Node's own removal takes paths.
 */
export function makeDeepDirectory(directory: string, content: string, { levels = 30, nameLength = 200 } = {}): void {
  const script =
    "import os, sys\nos.chdir(sys.argv[1])\nfor _ in range(int(sys.argv[2])): os.mkdir(sys.argv[3]); os.chdir(sys.argv[3])\nopen('file', 'w').write(sys.argv[4])";
  const args = ["-c", script, directory, String(levels), "d".repeat(nameLength), content];
  const { status, stderr } = spawnSync("python3", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`making a deep directory: ${stderr}`);
}
