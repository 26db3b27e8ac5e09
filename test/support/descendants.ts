import { command } from "./command.ts";

export interface Process {
  readonly pid: number;
  readonly args: string;
}

/** What a process has started, and what that has. */
export async function descendants(pid: number): Promise<readonly Process[]> {
  const { stdout } = await command(["ps", "-eo", "pid=,ppid=,args="]);
  const all = stdout.split("\n").flatMap((line) => {
    const [, child, parent, args = ""] = /^ *(\d+) +(\d+) (.*)$/.exec(line) ?? [];
    return child === undefined ? [] : [{ pid: Number(child), parent: Number(parent), args }];
  });
  const below = (parent: number): readonly Process[] =>
    all.filter((one) => one.parent === parent).flatMap((one) => [one, ...below(one.pid)]);
  return below(pid);
}
