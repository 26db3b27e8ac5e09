import { describe, expect, it } from "vitest";
import { DEFAULT_CAPABILITIES } from "../../../runtime-addon/capabilities.ts";
import { compileSeccomp } from "../../../runtime-addon/seccomp/compile.ts";
import { DEFAULT_PROFILE } from "../../../runtime-addon/seccomp/default-profile.ts";
import type { Machine } from "../../../runtime-addon/seccomp/machine.ts";
import type { SeccompProfile, SeccompRule } from "../../../runtime-addon/seccomp/profile.ts";
import { syscallNumbers } from "../../../runtime-addon/seccomp/syscall-numbers.ts";
import type { SyscallTable } from "../../../runtime-addon/seccomp/syscall-tables.ts";
import { runFilter } from "./run-filter.ts";

const AUDIT: Readonly<Record<SyscallTable, number>> = { x86_64: 0xc000003e, i386: 0x40000003, aarch64: 0xc00000b7, arm: 0x40000028 };
const X64: Machine = { architecture: "x64", kernel: [6, 1] };
const ARM64: Machine = { architecture: "arm64", kernel: [6, 1] };

const verdicts: Readonly<Record<number, string>> = {
  2147418112: "allow",
  327681: "EPERM",
  327718: "ENOSYS",
  327702: "EINVAL",
  2147221504: "log",
  2147483648: "kill process",
  0: "kill thread",
  196608: "trap",
  2146435079: "trace 7",
};

function asker(profile: SeccompProfile, machine: Machine, capabilities: readonly string[] = DEFAULT_CAPABILITIES) {
  const filter = compileSeccomp(profile, machine, capabilities);
  return (table: SyscallTable, call: string | number, ...args: readonly (number | bigint)[]): string => {
    const number = typeof call === "number" ? call : syscallNumbers(table).get(call);
    if (number === undefined) throw new RangeError(`${table} has no ${call}`);
    const { verdict } = runFilter(filter, { audit: AUDIT[table], number, args: args.map(BigInt) });
    return verdicts[verdict] ?? verdict.toString(16);
  };
}

describe("the default profile", () => {
  const machines = [
    [X64, "x86_64"],
    [X64, "i386"],
    [ARM64, "aarch64"],
    [ARM64, "arm"],
  ] as const;

  it.each(machines)("on %j decides every call of %s as its rules say, in few instructions", (machine, table) => {
    const filter = compileSeccomp(DEFAULT_PROFILE, machine, DEFAULT_CAPABILITIES);
    expect(filter.program.length / 8).toBeLessThan(1000);
    const plain = new Set(
      DEFAULT_PROFILE.syscalls.filter((rule) => !rule.args && !rule.includes && !rule.excludes).flatMap(({ names }) => names),
    );
    for (const [name, number] of syscallNumbers(table)) {
      const { verdict, steps } = runFilter(filter, { audit: AUDIT[table], number });
      if (plain.has(name)) expect([name, verdicts[verdict]]).toEqual([name, "allow"]);
      expect(steps).toBeLessThan(25);
    }
  });

  it.each([
    [
      "mount family",
      ["mount", "umount2", "pivot_root", "open_tree", "move_mount", "fsopen", "fsmount", "fspick", "fsconfig", "mount_setattr"],
    ],
    ["new namespaces", ["unshare", "setns"]],
    ["the kernel's own code", ["init_module", "finit_module", "delete_module", "kexec_load", "bpf", "reboot"]],
    ["keyrings", ["keyctl", "add_key", "request_key"]],
    ["page faults of others", ["userfaultfd"]],
    ["asynchronous calls that no filter sees", ["io_uring_setup", "io_uring_enter", "io_uring_register"]],
    ["clocks and the host's name", ["settimeofday", "clock_settime", "sethostname", "setdomainname"]],
    ["swap, quota, accounting", ["swapon", "swapoff", "quotactl", "acct"]],
    ["files by handle", ["open_by_handle_at"]],
    ["performance counters, the kernel's log", ["perf_event_open", "syslog", "fanotify_init"]],
    ["memory of nodes", ["mbind", "set_mempolicy", "move_pages", "migrate_pages"]],
  ] as const)("refuses %s", (_name, calls) => {
    for (const [machine, table] of machines) {
      const ask = asker(DEFAULT_PROFILE, machine);
      for (const call of calls)
        if (syscallNumbers(table).has(call)) expect([table, call, ask(table, call)]).toEqual([table, call, "EPERM"]);
    }
  });

  const NEW_USER_NAMESPACE = 0x10000000;
  it.each<[string, string, SyscallTable, string | number, (number | bigint)[], string]>([
    ["a thread", "allow", "x86_64", "clone", [0x3d0f00], "allow"],
    ["a process", "allow", "x86_64", "clone", [0x11], "allow"],
    ["a new user namespace", "EPERM", "x86_64", "clone", [NEW_USER_NAMESPACE], "EPERM"],
    ["a new user namespace by the other table", "EPERM", "i386", "clone", [NEW_USER_NAMESPACE], "EPERM"],
    ["a new cgroup namespace", "EPERM", "x86_64", "clone", [0x02000000], "EPERM"],
    ["clone3, whose flags cannot be seen", "ENOSYS", "x86_64", "clone3", [], "ENOSYS"],
    ["a call newer than the profile", "ENOSYS", "x86_64", "file_setattr", [], "ENOSYS"],
    ["a call of no kernel", "ENOSYS", "x86_64", 900, [], "ENOSYS"],
    ["minus one", "ENOSYS", "x86_64", -1, [], "ENOSYS"],
    ["x32", "ENOSYS", "x86_64", 0x40000000 + 39, [], "ENOSYS"],
    ["a local socket", "allow", "x86_64", "socket", [1], "allow"],
    ["a netlink socket", "allow", "x86_64", "socket", [16], "allow"],
    ["AF_ALG", "EPERM", "x86_64", "socket", [38], "EPERM"],
    ["AF_VSOCK", "EPERM", "x86_64", "socket", [40], "EPERM"],
    ["AF_VSOCK by the other table", "EPERM", "i386", "socket", [40], "EPERM"],
    ["AF_VSOCK behind bits that the kernel drops", "EPERM", "x86_64", "socket", [(1n << 32n) + 40n], "EPERM"],
    ["a family below the limit in its low half only", "EPERM", "x86_64", "socket", [(1n << 32n) + 1n], "EPERM"],
    ["the question for the persona", "allow", "x86_64", "personality", [0xffffffff], "allow"],
    ["a persona without randomised addresses", "EPERM", "x86_64", "personality", [0x40000], "EPERM"],
    ["chroot", "allow", "x86_64", "chroot", [], "allow"],
    ["ptrace", "allow", "x86_64", "ptrace", [], "allow"],
    ["arm's private calls", "allow", "arm", "set_tls", [], "allow"],
    ["a call of no arm kernel", "ENOSYS", "arm", 600, [], "ENOSYS"],
  ])("%s: %s", (_name, _verdict, table, call, args, expected) => {
    const machine = table === "x86_64" || table === "i386" ? X64 : ARM64;
    expect(asker(DEFAULT_PROFILE, machine)(table, call, ...args)).toBe(expected);
  });

  it("knows no other processor", () => {
    expect(asker(DEFAULT_PROFILE, X64)("aarch64", "read")).toBe("ENOSYS");
  });

  it("follows the capabilities", () => {
    const all = asker(DEFAULT_PROFILE, X64, [...DEFAULT_CAPABILITIES, "SYS_ADMIN", "SYS_TIME"]);
    for (const call of ["mount", "unshare", "clone3", "setns", "bpf", "clock_settime"])
      expect([call, all("x86_64", call)]).toEqual([call, "allow"]);
    expect(all("x86_64", "clone", NEW_USER_NAMESPACE)).toBe("allow");
    expect(all("x86_64", "reboot")).toBe("EPERM");
    expect(asker(DEFAULT_PROFILE, X64, [])("x86_64", "chroot")).toBe("EPERM");
  });

  it("refuses ptrace to kernels whose filters it evades", () => {
    expect(asker(DEFAULT_PROFILE, { ...X64, kernel: [4, 7] })("x86_64", "ptrace")).toBe("EPERM");
    expect(asker(DEFAULT_PROFILE, { ...X64, kernel: [4, 8] })("x86_64", "ptrace")).toBe("allow");
  });
});

describe("a profile", () => {
  const rule = (changes: Partial<SeccompRule>): SeccompRule => ({ names: ["getpid"], action: "SCMP_ACT_ALLOW", ...changes });
  const profile = (...syscalls: SeccompRule[]): SeccompProfile => ({ defaultAction: "SCMP_ACT_ERRNO", syscalls });
  const big = 2 ** 40 + 5;

  it.each<[op: SeccompRuleOp, value: number, allowed: (number | bigint)[], refused: (number | bigint)[]]>([
    ["SCMP_CMP_EQ", big, [big], [5, 2 ** 40, big + 1, 0]],
    ["SCMP_CMP_NE", big, [5, 2 ** 40, 0], [big]],
    ["SCMP_CMP_LT", big, [0, 5, 2 ** 40, big - 1], [big, big + 1, 2 ** 41, (1n << 64n) - 1n]],
    ["SCMP_CMP_LE", big, [0, 2 ** 40, big], [big + 1, 2 ** 41]],
    ["SCMP_CMP_GE", big, [big, big + 1, 2 ** 41], [0, 2 ** 40, big - 1]],
    ["SCMP_CMP_GT", big, [big + 1, 2 ** 41], [0, 2 ** 40, big]],
  ])("compares all 64 bits: %s", (op, value, allowed, refused) => {
    const ask = asker(profile(rule({ args: [{ index: 2, op, value }] })), X64);
    for (const argument of allowed) expect([argument, ask("x86_64", "getpid", 0, 0, argument)]).toEqual([argument, "allow"]);
    for (const argument of refused) expect([argument, ask("x86_64", "getpid", 0, 0, argument)]).toEqual([argument, "EPERM"]);
  });

  it("looks at chosen bits", () => {
    const ask = asker(profile(rule({ args: [{ index: 0, op: "SCMP_CMP_MASKED_EQ", value: 2 ** 40 + 3, valueTwo: 2 ** 40 + 1 }] })), X64);
    expect([2 ** 40 + 1, 2 ** 40 + 5, 1, 2 ** 40 + 3].map((value) => ask("x86_64", "getpid", value))).toEqual([
      "allow",
      "allow",
      "EPERM",
      "EPERM",
    ]);
  });

  it("asks that all comparisons hold, of several of one argument that one does", () => {
    const both = asker(
      profile(
        rule({
          args: [
            { index: 0, op: "SCMP_CMP_EQ", value: 1 },
            { index: 1, op: "SCMP_CMP_EQ", value: 2 },
          ],
        }),
      ),
      X64,
    );
    expect([both("x86_64", "getpid", 1, 2), both("x86_64", "getpid", 1, 3), both("x86_64", "getpid", 0, 2)]).toEqual([
      "allow",
      "EPERM",
      "EPERM",
    ]);
    const either = asker(
      profile(
        rule({
          args: [
            { index: 0, op: "SCMP_CMP_EQ", value: 1 },
            { index: 0, op: "SCMP_CMP_EQ", value: 2 },
          ],
        }),
      ),
      X64,
    );
    expect([1, 2, 3].map((value) => either("x86_64", "getpid", value))).toEqual(["allow", "allow", "EPERM"]);
  });

  it("takes the rule without comparisons, wherever it stands", () => {
    const ask = asker(
      profile(rule({ action: "SCMP_ACT_ERRNO", errnoRet: 22, args: [{ index: 0, op: "SCMP_CMP_EQ", value: 1 }] }), rule({})),
      X64,
    );
    expect(ask("x86_64", "getpid", 1)).toBe("allow");
  });

  it.each([
    ["SCMP_ACT_KILL", "kill thread"],
    ["SCMP_ACT_KILL_PROCESS", "kill process"],
    ["SCMP_ACT_TRAP", "trap"],
    ["SCMP_ACT_LOG", "log"],
  ] as const)("does what its action says: %s", (action, expected) => {
    expect(asker(profile(rule({ action })), X64)("x86_64", "getpid")).toBe(expected);
  });

  it("gives the data of an action", () => {
    expect(asker(profile(rule({ action: "SCMP_ACT_ERRNO", errnoRet: 22 })), X64)("x86_64", "getpid")).toBe("EINVAL");
    expect(asker(profile(rule({ action: "SCMP_ACT_TRACE", errnoRet: 7 })), X64)("x86_64", "getpid")).toBe("trace 7");
  });

  it("that refuses a few calls lets all others through, newer ones too", () => {
    const ask = asker({ defaultAction: "SCMP_ACT_ALLOW", syscalls: [rule({ action: "SCMP_ACT_ERRNO" })] }, X64);
    expect([ask("x86_64", "getpid"), ask("x86_64", "read"), ask("x86_64", 900)]).toEqual(["EPERM", "allow", "allow"]);
  });

  it("that names no 32-bit way has none", () => {
    expect(asker(profile(rule({})), X64)("i386", "getpid")).toBe("ENOSYS");
    expect(asker({ ...profile(rule({})), architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"] }, X64)("i386", "getpid")).toBe("allow");
  });

  it("that says everything about every call is refused where the kernel would", () => {
    const args = [0, 1, 2, 3, 4, 5].map((index) => ({ index, op: "SCMP_CMP_EQ", value: 1 }) as const);
    const many = profile(...Array.from({ length: 200 }, () => rule({ args })));
    expect(() => compileSeccomp(many, X64, [])).toThrow(
      expect.objectContaining({
        code: "SECCOMP_PROFILE",
        message: "compiling the seccomp profile: its program has 5014 instructions, and the kernel takes 4096",
      }),
    );
  });
});

type SeccompRuleOp = NonNullable<SeccompRule["args"]>[number]["op"];
