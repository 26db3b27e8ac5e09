import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The mount points of this process's mount namespace, sorted. */
export function mountPoints(): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .sort();
}

/** "pid name" of every live child of the process; zombies that nobody has waited for count too. */
export function childrenOf(pid: number): string[] {
  const children: string[] = [];
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const stat = statOf(entry);
    // pid (name) state ppid …; the name may hold anything, so the fields start behind its last parenthesis.
    const [, name = "", parent] = /^\d+ \((.*)\) \S (\d+)/s.exec(stat) ?? [];
    if (Number(parent) === pid) children.push(`${entry} ${name}`);
  }
  return children;
}

function statOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    // The process ended between the listing and the reading.
    return "";
  }
}

/** Cgroup directories that tsbuild made, in all hierarchies. */
export function tsbuildCgroups(): string[] {
  const roots = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(" ")[4] ?? "");
  return roots.flatMap((root) => cgroupsBelow(root)).sort();
}

function cgroupsBelow(directory: string): string[] {
  let names: string[];
  try {
    names = readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    // Gone while we looked: then it is not left behind.
    return [];
  }
  return names.flatMap((name) => {
    const path = join(directory, name);
    return [...(/^tsbuild-(leaf-)?[0-9a-f]{12}$/.test(name) ? [path] : []), ...cgroupsBelow(path)];
  });
}

/** "pid command line" of every process that has `text` in its command line or environment. Needs root. */
export function processesWith(text: string): string[] {
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid) || pid === String(process.pid)) return [];
    const commandLine = readProcess(pid, "cmdline");
    return commandLine.includes(text) || readProcess(pid, "environ").includes(text) ? [`${pid} ${commandLine.replaceAll("\0", " ")}`] : [];
  });
}

function readProcess(pid: string, file: "cmdline" | "environ"): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    // The process ended between the listing and the reading; what reads as nothing is a zombie or the kernel's own.
    return "";
  }
}

/** Waits until nothing is left; answers what is left all the same. */
export async function goneWithin(timeoutMs: number, left: () => readonly string[]): Promise<readonly string[]> {
  const deadline = Date.now() + timeoutMs;
  while (left().length > 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
  return left();
}
