import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { helperPath, runSandbox, type SandboxOptions } from "../../runtime-addon/index.ts";
import { needs } from "../support/needs.ts";
import { processesWith } from "../support/processes-with.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { box, boxSpec } from "./box.ts";
import { bundleProgram } from "./bundled.ts";

/** A number that only this test's sleeping processes have in their command line. */
const SECONDS = String(200_000 + (process.pid % 100_000));

const sleepers = (): string[] => processesWith(SECONDS);

async function until(what: string, holds: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 10_000; !holds(); ) {
    if (Date.now() > deadline) throw new Error(`still not so after 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

// One in the foreground, one in the background, one in a session of its own, and a daemon.
const FAMILY = `sleep ${SECONDS} & setsid sleep ${SECONDS} & (setsid sh -c 'trap "" TERM HUP; sleep ${SECONDS} & sleep ${SECONDS}' &) & `;

/** Runs the family and calls back once all four sleep. */
async function runFamily(script: string, options: SandboxOptions, whenAsleep: () => void): Promise<unknown> {
  const running = runSandbox(boxSpec(FAMILY + script), { stdin: "null", output: () => {} }, options).catch((error: unknown) => error);
  await until("the processes sleep", () => sleepers().length >= 4);
  whenAsleep();
  return running;
}

describe("all that a sandbox started is dead", needs("root", "privateMounts"), () => {
  afterEach(() => {
    expect(sleepers()).toEqual([]);
  });

  it("when the command is root without the right to kill others", async () => {
    const script = `echo u:x:1234:1234::/:/bin/sh >> /etc/passwd; start-stop-daemon -S -c u -x /bin/sleep -- ${SECONDS} & until ps -o user,args | grep -q '^u .*sleep ${SECONDS}$'; do sleep 0.01; done; echo seen`;
    const run = await box(script, { process: { capabilities: ["SETUID", "SETGID"] } });
    expect(run.stdout).toBe("seen\n");
    expect(sleepers()).toEqual([]);
  });

  it("when the caller aborts; the command may clean up first", async () => {
    const controller = new AbortController();
    const written: string[] = [];
    const spec = boxSpec(`trap 'echo cleaned up; exit 3' TERM; ${FAMILY} echo ready; wait`);
    const running = runSandbox(
      spec,
      { stdin: "null", output: (chunk) => void written.push(Buffer.from(chunk).toString()) },
      { signal: controller.signal },
    );
    await until("the script is ready", () => written.join("").includes("ready"));
    controller.abort(new Error("cancelled by the test"));
    await expect(running).rejects.toThrow("cancelled by the test");
    expect(written.join("")).toBe("ready\ncleaned up\n");
  });

  it("at once when the caller wants that", async () => {
    const term = new AbortController();
    const kill = new AbortController();
    const error = await runFamily(`trap "" TERM; sleep ${SECONDS}`, { signal: term.signal, kill: kill.signal, graceMs: 600_000 }, () => {
      term.abort();
      kill.abort(new Error("at once"));
    });
    expect(error).toMatchObject({ message: "at once" });
    expect(sleepers()).toEqual([]);
  });

  it("before it began, when the abort came first", async () => {
    await expect(box("true", {}, { signal: AbortSignal.abort(new Error("too early")) })).rejects.toThrow("too early");
  });

  it("and signals reach the command alone", async () => {
    const written: string[] = [];
    const run = await runSandbox(
      boxSpec("trap 'echo usr1; exit 5' USR1; sleep 100 & echo ready; wait"),
      {
        stdin: "null",
        output: (chunk) => {
          written.push(Buffer.from(chunk).toString());
          if (written.join("") === "ready\n") deliver("SIGUSR1");
        },
      },
      {
        onStarted: (sandbox) => {
          deliver = (signal) => sandbox.kill(signal);
        },
      },
    );
    expect([run.status, written.join("")]).toEqual([{ code: 5 }, "ready\nusr1\n"]);
  });

  it.each<[string, (child: ChildProcess) => void]>([
    ["the calling program is killed", (child) => child.kill("SIGKILL")],
    ["the helper outside is killed", () => killHelper("tsb:map")],
    ["the sandbox's first process is killed", () => killHelper("tsb:init")],
  ])("when %s", async (_name, kill) => {
    const directory = temporaryDirectory("victim");
    const program = bundleProgram(directory, "await runtime.runSandbox(JSON.parse(args[0]), { stdin: 'null', output: () => {} });");
    copyFileSync(helperPath(), join(directory, "runtime-addon/build/Release/tsb-init"));
    const child = spawn(process.execPath, [program, JSON.stringify(boxSpec(`${FAMILY} sleep ${SECONDS}`))], { stdio: "ignore" });
    const ended = new Promise((resolve) => child.once("close", resolve));
    try {
      await until("the processes sleep", () => sleepers().length >= 5);
      kill(child);
      await until("all are dead", () => sleepers().length === 0);
    } finally {
      child.kill("SIGKILL");
      await ended;
    }
  });
});

let deliver: (signal: NodeJS.Signals) => void = () => {};

/** Kills the helper process of this name above a sleeper. */
function killHelper(name: string): void {
  for (let pid = sleepers().at(-1); pid !== undefined && pid !== "0"; ) {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    if (status.startsWith(`Name:\t${name}\n`)) {
      process.kill(Number(pid), "SIGKILL");
      return;
    }
    pid = /^PPid:\t(\d+)$/m.exec(status)?.[1];
  }
  throw new Error(`no ${name} above the sleeping processes`);
}
