import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readSecurity } from "../../../builder/cli/security-flags.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

type Flags = Parameters<typeof readSecurity>[0];

describe("the flags of security", () => {
  it.each<[Flags, object]>([
    [{}, {}],
    [
      { "cap-add": ["NET_ADMIN,SYS_TIME", "chown"], "cap-drop": ["ALL"] },
      { capAdd: ["NET_ADMIN", "SYS_TIME", "chown"], capDrop: ["ALL"] },
    ],
    [{ "security-opt": ["no-new-privileges"] }, { noNewPrivileges: true }],
    [{ "security-opt": ["no-new-privileges:true"] }, { noNewPrivileges: true }],
    [{ "security-opt": ["no-new-privileges=false", "label=disable", "apparmor:unconfined"] }, { noNewPrivileges: false }],
    [{ "security-opt": ["seccomp=unconfined", "systempaths=unconfined"] }, { seccomp: "unconfined", systemPaths: "unconfined" }],
    [{ ulimit: ["nofile=10:20"] }, { rlimits: { nofile: { soft: 10, hard: 20 } } }],
    [
      { ulimit: ["nofile=10", "core=-1", "nofile=5:-1"] },
      { rlimits: { nofile: { soft: 5, hard: "unlimited" }, core: { soft: "unlimited", hard: "unlimited" } } },
    ],
  ])("%j", (flags, expected) => {
    expect(readSecurity(flags)).toEqual(expected);
  });

  it("read a profile; a flag wins over the setting", () => {
    const file = join(temporaryDirectory(), "p.json");
    writeFileSync(file, '{"defaultAction":"SCMP_ACT_ALLOW"}');
    const seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [] };
    expect(readSecurity({ "security-opt": [`seccomp=${file}`] })).toEqual({ seccomp });
    expect(readSecurity({}, file)).toEqual({ seccomp });
    expect(readSecurity({ "security-opt": ["seccomp=unconfined"] }, file)).toEqual({ seccomp: "unconfined" });
  });

  it.each<[Flags, string, string, string | undefined]>([
    [{ "cap-add": ["FLY"] }, "INVALID_VALUE", 'reading the capabilities: there is no capability "FLY"', undefined],
    [
      { "security-opt": ["apparmor=x"] },
      "INVALID_VALUE",
      'reading --security-opt: "apparmor=x" is not known here',
      "write seccomp=FILE, seccomp=unconfined, no-new-privileges or systempaths=unconfined",
    ],
    [{ "security-opt": ["seccomp"] }, "INVALID_VALUE", 'reading --security-opt: "seccomp" is not known here', undefined],
    [
      { "security-opt": ["seccomp=/no/such"] },
      "SECCOMP_PROFILE",
      "reading the seccomp profile /no/such: ENOENT: no such file or directory, open '/no/such'",
      undefined,
    ],
    [{ ulimit: ["nofile"] }, "INVALID_VALUE", 'reading --ulimit: "nofile" is not NAME=SOFT[:HARD]', "write it as nofile=1024:4096"],
    [{ ulimit: ["nofile=-2"] }, "INVALID_VALUE", 'reading --ulimit: "nofile=-2" is not NAME=SOFT[:HARD]', undefined],
    [{ ulimit: ["nofil=1"] }, "INVALID_VALUE", 'reading --ulimit: "nofil=1" names no limit', "did you mean nofile?"],
    [{ ulimit: ["nofile=2:1"] }, "INVALID_VALUE", 'reading --ulimit: "nofile=2:1" has a soft limit above the hard one', undefined],
    [{ ulimit: ["nofile=-1:1"] }, "INVALID_VALUE", 'reading --ulimit: "nofile=-1:1" has a soft limit above the hard one', undefined],
  ])("%j is refused", (flags, code, message, hint) => {
    expect(() => readSecurity(flags)).toThrow(expect.objectContaining({ code, message, ...(hint === undefined ? {} : { hint }) }));
  });
});
