import { describe, expect, it } from "vitest";
import type { SecurityOptions } from "../../../builder/options.ts";
import { sandboxSecurity, securityKey } from "../../../builder/sandbox/security.ts";
import { CAPABILITIES, DEFAULT_CAPABILITIES } from "../../../runtime-addon/index.ts";

const without = (...names: string[]) => DEFAULT_CAPABILITIES.filter((name) => !names.includes(name));

describe("capabilities", () => {
  it.each<[string, SecurityOptions, readonly string[]]>([
    ["none said: Docker's 14", {}, DEFAULT_CAPABILITIES],
    ["one more", { capAdd: ["NET_ADMIN"] }, [...DEFAULT_CAPABILITIES, "NET_ADMIN"]],
    ["the other name, in small letters", { capAdd: ["cap_net_admin"] }, [...DEFAULT_CAPABILITIES, "NET_ADMIN"]],
    ["one that is there", { capAdd: ["CHOWN"] }, DEFAULT_CAPABILITIES],
    ["one less", { capDrop: ["CAP_CHOWN"] }, without("CHOWN")],
    ["none but one", { capDrop: ["all"], capAdd: ["CHOWN"] }, ["CHOWN"]],
    ["none", { capDrop: ["ALL"] }, []],
    ["all", { capAdd: ["ALL"] }, CAPABILITIES],
    ["all but one", { capAdd: ["ALL"], capDrop: ["SYS_ADMIN"] }, CAPABILITIES.filter((name) => name !== "SYS_ADMIN")],
    ["dropped and added", { capDrop: ["CHOWN"], capAdd: ["CHOWN"] }, [...without("CHOWN"), "CHOWN"]],
  ])("%s", (_name, options, expected) => {
    expect(sandboxSecurity(options).process.capabilities).toEqual(expected);
  });

  it("that nobody knows are refused with the nearest", () => {
    expect(() => sandboxSecurity({ capDrop: ["CAP_SYS_ADMN"] })).toThrow(
      expect.objectContaining({
        code: "INVALID_VALUE",
        message: 'reading the capabilities: there is no capability "CAP_SYS_ADMN"',
        hint: "did you mean SYS_ADMIN?",
      }),
    );
  });
});

describe("the key of a step", () => {
  it.each<[string, SecurityOptions]>([
    ["nothing", {}],
    ["the defaults in other words", { capDrop: ["CHOWN"], capAdd: ["cap_chown"], noNewPrivileges: false }],
    ["limits", { rlimits: { nofile: { soft: 1 } } }],
  ])("is the usual one with %s", (_name, options) => {
    expect(securityKey(options)).toBeUndefined();
  });

  it("is another with what changes what a command may do", () => {
    const profile = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [] } as const;
    expect(securityKey({ capDrop: ["ALL"], seccomp: "unconfined", noNewPrivileges: true, systemPaths: "unconfined" })).toEqual({
      capabilities: [],
      seccomp: "unconfined",
      noNewPrivileges: true,
      systemPaths: "unconfined",
    });
    expect(securityKey({ seccomp: profile })).toEqual({ seccomp: expect.stringMatching(/^sha256:/) });
  });
});

describe("the insecure mode", () => {
  it("has all that there is, whatever was dropped, and keeps limits", () => {
    const { spec, process } = sandboxSecurity({ capDrop: ["ALL"], rlimits: { core: { soft: 0 } } }, "insecure");
    expect(spec.privileged?.devices.map(({ name }) => name)).toContain("loop-control");
    expect(process).toEqual({ capabilities: CAPABILITIES, seccomp: "unconfined", rlimits: { core: { soft: 0 } } });
  });
});
