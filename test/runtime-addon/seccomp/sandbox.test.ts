import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { parseSeccompProfile } from "../../../runtime-addon/index.ts";
import { needs } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { type BoxChanges, box, lines } from "../box.ts";

const EPERM = "1";
const ENOSYS = "38";

let program = "";

/** What each call of the program came to inside a sandbox: its errno, "0" where it worked. */
async function calls(kind: "refused" | "ordinary", changes: BoxChanges["process"] = {}): Promise<Record<string, string>> {
  const run = await box(`/calls ${kind}`, {
    mounts: [{ kind: "bind", source: program, target: "/calls", readOnly: true }],
    network: "none",
    process: changes,
  });
  return Object.fromEntries(lines(run).map((line) => line.split(" ") as [string, string]));
}

describe("the filter of a sandbox", needs("root", "privateMounts"), () => {
  beforeAll(() => {
    program = join(temporaryDirectory("calls"), "calls");
    execFileSync("gcc", ["-static", "-pthread", "-w", "-o", program, fileURLToPath(new URL("calls.c", import.meta.url))]);
  });

  it("refuses what a container has no business with", async () => {
    const { clone3, ...others } = await calls("refused");
    expect(clone3).toBe(ENOSYS);
    expect(Object.keys(others).length).toBe(41);
    expect(Object.entries(others).filter(([, errno]) => errno !== EPERM)).toEqual([]);
  });

  it("would let them through without it", async () => {
    const found = await calls("refused", { seccomp: "unconfined" });
    // Made by a kernel that looked at the arguments, or at other rights.
    expect(found.clone3).not.toBe(ENOSYS);
    expect(Object.entries(found).filter(([, errno]) => errno !== EPERM).length).toBeGreaterThan(10);
    expect(found.unshare).toBe("0");
  });

  it("allows what ordinary programs need", async () => {
    const found = await calls("ordinary");
    // The kernel's own answers to what they were given.
    const { seccomp, openat2, name_to_handle_at, copy_file_range, rseq, landlock_create_ruleset, ...others } = found;
    expect(Object.entries(others).filter(([, errno]) => errno !== "0")).toEqual([]);
    expect(Object.keys(others).length).toBe(37);
    for (const errno of [seccomp, openat2, name_to_handle_at, copy_file_range, rseq, landlock_create_ruleset])
      expect([EPERM, ENOSYS]).not.toContain(errno);
  });

  it("is another, where one is given", async () => {
    const profile = parseSeccompProfile(
      JSON.stringify({
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{ names: ["chroot", "no_such_call"], action: "SCMP_ACT_ERRNO", errnoRet: 13 }],
      }),
      "test",
    );
    const run = await box("chroot / true; echo $?", { process: { seccomp: profile } });
    expect([run.stdout, run.stderr]).toEqual(["1\n", "chroot: can't change root directory to '/': Permission denied\n"]);
  });

  it.each([
    [false, "0"],
    [true, "1"],
  ])("is loaded for an ordinary user too, and for the first process (no new privileges: %s)", async (noNewPrivileges, expected) => {
    const script = "grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status; grep Seccomp: /proc/1/status";
    const run = await box(script, { process: { uid: 1000, gid: 1000, noNewPrivileges } });
    expect(lines(run)).toEqual([`NoNewPrivs:\t${expected}`, "Seccomp:\t2", "Seccomp:\t2"]);
  });

  it("kills a command where the profile says so", async () => {
    const profile = parseSeccompProfile(
      JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["chroot"], action: "SCMP_ACT_KILL_PROCESS" }] }),
      "test",
    );
    const run = await box("exec chroot / true", { process: { seccomp: profile } });
    expect(run.status).toEqual({ signal: 31 });
  });
});
