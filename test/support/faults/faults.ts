import { execFileSync } from "node:child_process";
import { readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { CHECKOUT } from "../cli.ts";
import { temporaryDirectory } from "../temporary.ts";

/** What the calls meet that change files below a directory: nothing, or an error from the n-th of them on. */
export interface FaultPlan {
  /** Absent: no call fails, all are counted. */
  readonly nth?: number;
  readonly error?: "ENOSPC" | "EIO" | "EROFS";
  /** Whether all after the n-th fail too, as on a disk that is full or gone. */
  readonly lasting?: boolean;
  /** "room": only calls count that may need room on the disk. */
  readonly of: "all" | "room";
  /** Calls that this file system has not at all, with the errno that says so. */
  readonly refused?: Readonly<Record<string, keyof typeof constants.errno>>;
}

export interface FaultCall {
  /** "open EIO /v1/tmp/…"; the path is below the directory. */
  readonly text: string;
  /** Whether it may need room on the disk. */
  readonly room: boolean;
}

export interface Faults {
  /** For the process and what it starts. */
  readonly env: Readonly<Record<string, string>>;
  /** The calls that failed; where none was to fail, all that were counted. Answers once. */
  readonly calls: () => readonly FaultCall[];
}

/** What makes this plan come true below `directory`. One plan is for one command. */
export function planFaults(directory: string, { nth = 0, error, lasting = false, of, refused = {} }: FaultPlan): Faults {
  const file = join(temporaryDirectory("faults"), "plan");
  const words = [0, nth, error === undefined ? 0 : constants.errno[error], Number(lasting), Number(of === "room")];
  writeFileSync(file, new BigInt64Array(words.map(BigInt)));
  return {
    env: {
      LD_PRELOAD: sharedObject(),
      TSBUILD_FAULTS_ROOT: realpathSync(directory),
      TSBUILD_FAULTS_PLAN: file,
      TSBUILD_FAULTS_REFUSE: Object.entries(refused)
        .map(([call, name]) => `${call}=${constants.errno[name]}`)
        .join(","),
    },
    calls() {
      const lines = readLines(`${file}.log`);
      rmSync(`${file}.log`, { force: true });
      return lines.map((line) => {
        const [call, errno, room, ...path] = line.split(" ");
        return { text: `${call} ${nameOf(Number(errno))} ${path.join(" ")}`, room: room === "1" };
      });
    },
  };
}

let built: string | undefined;

/** Made by the C compiler that made the addon. */
function sharedObject(): string {
  if (built === undefined) {
    const output = join(temporaryDirectory("faults"), "faults.so");
    execFileSync("gcc", ["-shared", "-fPIC", "-O1", "-o", output, join(CHECKOUT, "test/support/faults/faults.c"), "-ldl"]);
    built = output;
  }
  return built;
}

function readLines(file: string): readonly string[] {
  try {
    return readFileSync(file, "utf8").split("\n").slice(0, -1);
  } catch {
    return [];
  }
}

function nameOf(errno: number): string {
  return Object.entries(constants.errno).find(([, value]) => value === errno)?.[0] ?? "-";
}
