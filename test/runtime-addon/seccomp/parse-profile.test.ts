import { describe, expect, it } from "vitest";
import { parseSeccompProfile } from "../../../runtime-addon/seccomp/parse-profile.ts";

const minimal = { defaultAction: "SCMP_ACT_ALLOW" };

describe("a profile's JSON", () => {
  it("is read in Docker's form, whatever else is in it", () => {
    const text = JSON.stringify({
      ...minimal,
      defaultErrnoRet: 38,
      defaultErrno: "ENOSYS",
      archMap: [{ architecture: "SCMP_ARCH_X86_64", subArchitectures: null }],
      flags: ["SECCOMP_FILTER_FLAG_LOG"],
      listenerPath: "",
      syscalls: [
        {
          names: ["a", "b"],
          action: "SCMP_ACT_ERRNO",
          errnoRet: 1,
          comment: "x",
          args: null,
          includes: {},
          excludes: { caps: ["CAP_BPF"] },
        },
        { name: "c", action: "SCMP_ACT_ALLOW", args: [{ index: 5, value: 4294967295, valueTwo: 0, op: "SCMP_CMP_EQ" }] },
      ],
    });
    expect(parseSeccompProfile(text, "p.json")).toEqual({
      defaultAction: "SCMP_ACT_ALLOW",
      defaultErrnoRet: 38,
      archMap: [{ architecture: "SCMP_ARCH_X86_64", subArchitectures: [] }],
      flags: ["SECCOMP_FILTER_FLAG_LOG"],
      syscalls: [
        { names: ["a", "b"], action: "SCMP_ACT_ERRNO", errnoRet: 1, includes: {}, excludes: { caps: ["CAP_BPF"] } },
        { names: ["c"], action: "SCMP_ACT_ALLOW", args: [{ index: 5, value: 4294967295, valueTwo: 0, op: "SCMP_CMP_EQ" }] },
      ],
    });
  });

  const withRule = (rule: object): object => ({ ...minimal, syscalls: [{ names: ["a"], action: "SCMP_ACT_ALLOW", ...rule }] });
  it.each<[string, unknown, string]>([
    ["a list", [], "is no object"],
    ["no default", {}, "defaultAction: is no text"],
    [
      "an action of nobody",
      { defaultAction: "SCMP_ACT_\u001bDENY" },
      'defaultAction: "SCMP_ACT_\\u001bDENY" is not one of SCMP_ACT_KILL, SCMP_ACT_KILL_THREAD, SCMP_ACT_KILL_PROCESS, SCMP_ACT_TRAP, SCMP_ACT_ERRNO, SCMP_ACT_TRACE, SCMP_ACT_LOG, SCMP_ACT_ALLOW',
    ],
    ["rules that are no list", { ...minimal, syscalls: {} }, "syscalls: is no list"],
    ["a rule that is none", { ...minimal, syscalls: [1] }, "syscalls[0]: is no object"],
    ["names twice", withRule({ name: "b" }), 'syscalls[0]: "name" and "names" say the same thing, and only one may be given'],
    [
      "a seventh argument",
      withRule({ args: [{ index: 6, value: 0, op: "SCMP_CMP_EQ" }] }),
      "syscalls[0].args[0].index: is no whole number from 0 to 5",
    ],
    [
      "a value that JSON cannot hold",
      withRule({ args: [{ index: 0, value: 2 ** 53, op: "SCMP_CMP_EQ" }] }),
      "syscalls[0].args[0].value: is no whole number from 0 to 9007199254740991",
    ],
    [
      "a comparison of nobody",
      withRule({ args: [{ index: 0, value: 0, op: "EQ" }] }),
      'syscalls[0].args[0].op: "EQ" is not one of SCMP_CMP_NE, SCMP_CMP_LT, SCMP_CMP_LE, SCMP_CMP_EQ, SCMP_CMP_GE, SCMP_CMP_GT, SCMP_CMP_MASKED_EQ',
    ],
    ["no errno", withRule({ errnoRet: 5000 }), "syscalls[0].errnoRet: is no whole number from 0 to 4095"],
    ["no kernel", withRule({ includes: { minKernel: "new" } }), 'syscalls[0].includes.minKernel: "new" is no version of a kernel like 4.8'],
    [
      "architectures twice",
      { ...minimal, architectures: ["SCMP_ARCH_X86"], archMap: [{ architecture: "SCMP_ARCH_X86_64" }] },
      '"architectures" and "archMap" say the same thing, and only one may be given',
    ],
    ["somebody to ask", { ...minimal, listenerPath: "/run/x" }, '"listenerPath" is not supported: nobody is asked about calls'],
    [
      "a flag of nobody",
      { ...minimal, flags: ["X"] },
      'flags[0]: "X" is not one of SECCOMP_FILTER_FLAG_TSYNC, SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_SPEC_ALLOW',
    ],
  ])("is refused with %s", (_name, document, what) => {
    expect(() => parseSeccompProfile(JSON.stringify(document), "p.json")).toThrow(
      expect.objectContaining({ code: "SECCOMP_PROFILE", message: `reading the seccomp profile p.json: ${what}` }),
    );
  });

  it("is refused where it is no JSON", () => {
    expect(() => parseSeccompProfile("{", "p.json")).toThrow(/^reading the seccomp profile p\.json: /);
  });
});
