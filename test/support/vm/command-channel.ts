import { randomBytes } from "node:crypto";
import type { Readable, Writable } from "node:stream";

export interface VmCommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** An ordinary user's id; the command's control group is then one that is delegated to them. Absent: root. */
  readonly uid?: number;
  /** After which the machine is ended. Absent: two minutes. */
  readonly timeoutMs?: number;
  /** Told what the command writes, as it comes. */
  readonly onOutput?: (text: string) => void;
}

export interface VmResult {
  readonly code: number;
  /** stdout and stderr, as they came. */
  readonly output: string;
}

/** Commands to the agent in a machine, and what comes back. */
export interface CommandChannel {
  /** Resolves when the agent takes commands. */
  ready(timeoutMs: number): Promise<void>;
  run(script: string, options?: VmCommandOptions): Promise<VmResult>;
}

interface Machine {
  /** What qemu and the kernel said last. */
  readonly lastWords: () => string;
  /** Ends a machine that does not answer in time. */
  readonly onLate: () => void;
}

/** Waits for one end mark at a time in what the machine writes. */
interface Waiting {
  readonly pattern: RegExp;
  readonly onOutput: ((text: string) => void) | undefined;
  readonly resolve: (found: { readonly match: RegExpExecArray; readonly before: string }) => void;
  readonly reject: (error: Error) => void;
}

export function commandChannel(input: Writable, output: Readable, machine: Machine): CommandChannel {
  let text = "";
  let told = 0;
  let over = false;
  let waiting: Waiting | undefined;

  const look = (): void => {
    if (waiting === undefined) return;
    const match = waiting.pattern.exec(text);
    // A mark that has only begun to come is not the command's output.
    const end = match === null ? beforeMark(text) : match.index;
    if (end > told) waiting.onOutput?.(text.slice(told, end));
    told = Math.max(told, end);
    if (match === null) {
      if (over) settle().reject(new Error(`the virtual machine ended: ${machine.lastWords()}`));
      return;
    }
    const before = text.slice(0, match.index);
    text = text.slice(match.index + match[0].length);
    told = 0;
    settle().resolve({ match, before });
  };
  const settle = (): Waiting => {
    const settled = waiting;
    waiting = undefined;
    if (settled === undefined) throw new Error("nobody waits");
    return settled;
  };
  output.setEncoding("utf8");
  output.on("data", (chunk: string) => {
    text += chunk;
    look();
  });
  output.on("close", () => {
    over = true;
    look();
  });
  // The machine may end before it has read everything; its end is what is told.
  input.on("error", () => {});

  const waitFor = (pattern: RegExp, timeoutMs: number, onOutput?: (text: string) => void) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      machine.onLate();
    }, timeoutMs);
    return new Promise<{ readonly match: RegExpExecArray; readonly before: string }>((resolve, reject) => {
      waiting = { pattern, onOutput, resolve, reject };
      look();
    })
      .catch((error: Error) => {
        throw late ? new Error(`the virtual machine did not answer within ${timeoutMs} ms`, { cause: error }) : error;
      })
      .finally(() => clearTimeout(timer));
  };

  return {
    async ready(timeoutMs) {
      await waitFor(/ready\n/, timeoutMs);
    },
    async run(script, options = {}) {
      if (waiting !== undefined) throw new Error("the virtual machine runs one command at a time");
      const mark = randomBytes(12).toString("hex");
      input.write(`${mark} ${Buffer.from(wrapped(script, options)).toString("base64")}\n`);
      const { match, before } = await waitFor(new RegExp(`\\x1e${mark} (\\d+)\n`), options.timeoutMs ?? 120_000, options.onOutput);
      return { code: Number(match[1]), output: before };
    },
  };
}

/** Where a mark may begin that is not complete. */
function beforeMark(text: string): number {
  const index = text.lastIndexOf("\x1e");
  return index === -1 ? text.length : index;
}

/** The script with its directory, environment, user and control group. */
function wrapped(script: string, { cwd = "/", env = {}, uid }: VmCommandOptions): string {
  const variables = Object.entries({
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    LANG: "C.UTF-8",
    TMPDIR: "/scratch",
    ...env,
  });
  const run = ["env", "-i", ...variables.map(([name, value]) => `${name}=${value}`), "sh", "-c", script];
  const asUser = uid === undefined ? [] : ["setpriv", "--reuid", String(uid), "--regid", String(uid), "--clear-groups"];
  return ["set -e", ...enterGroup(uid), `cd ${quoted(cwd)}`, `exec ${[...asUser, ...run].map(quoted).join(" ")}`].join("\n");
}

/** A group such as a session has under systemd: a leaf, in a group that hands down all controllers, and for a user is theirs (cgroups(7), "delegation"). */
function enterGroup(uid: number | undefined): string[] {
  const group = `/sys/fs/cgroup/${uid === undefined ? "system" : `user-${uid}`}`;
  const handDown = `sed 's/[^ ][^ ]*/+&/g' cgroup.controllers > cgroup.subtree_control`;
  return [
    `mkdir -p ${group}/session`,
    `(cd /sys/fs/cgroup && ${handDown})`,
    `(cd ${group} && ${handDown})`,
    ...(uid === undefined
      ? []
      : [
          `for at in ${group} ${group}/session; do chown ${uid}:${uid} $at $at/cgroup.procs $at/cgroup.threads $at/cgroup.subtree_control; done`,
        ]),
    `echo $$ > ${group}/session/cgroup.procs`,
  ];
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
