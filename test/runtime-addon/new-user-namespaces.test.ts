import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { box, lines } from "./box.ts";

const EPERM = 1;
const ENOSYS = 38;

/** The attack, compiled for whatever the box has for a C library: none. */
function program(): string {
  const output = join(temporaryDirectory("attack"), "new-user-namespaces");
  execFileSync("g++", [
    "-x",
    "c++",
    "-fpermissive",
    "-w",
    "-static",
    "-o",
    output,
    fileURLToPath(new URL("new-user-namespaces.c", import.meta.url)),
  ]);
  return output;
}

describe("from inside a sandbox", needs("root", "privateMounts"), () => {
  it("no way leads to a new user namespace, where all capabilities would be had again", async () => {
    const run = await box("/attack", { mounts: [{ kind: "bind", source: program(), target: "/attack", readOnly: true }] });
    const found = Object.fromEntries(lines(run).map((line) => line.split(" ") as [string, string]));
    const expected: Record<string, number> = { fork: 0, unshare: EPERM, "unshare-with-others": EPERM, clone: EPERM, clone3: ENOSYS };
    if (process.arch === "x64") Object.assign(expected, { "x32-unshare": ENOSYS, "i386-unshare": EPERM, "i386-clone": EPERM });
    expect(found).toEqual(Object.fromEntries(Object.entries(expected).map(([name, number]) => [name, String(number)])));
  });

  it("no memory limit can be lifted by mounting the control groups in a new user namespace", async () => {
    const run = await box("unshare -Urm sh -c 'mount -t cgroup -o memory x /tmp && echo mounted'; echo end");
    expect(lines(run)).toEqual(["end"]);
  });

  it("set-uid programs still gain their owner's rights", async () => {
    const run = await box("grep NoNewPrivs /proc/self/status");
    expect(lines(run)).toEqual(["NoNewPrivs:\t0"]);
  });
});
