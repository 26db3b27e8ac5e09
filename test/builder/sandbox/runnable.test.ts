import { describe, expect, it } from "vitest";
import { refuseForeign } from "../../../builder/sandbox/runnable.ts";
import { machinePlatform, platformText } from "../../../store/platform.ts";
import { thrown } from "../cli/thrown.ts";

const machine = machinePlatform();

describe("programs of a platform", () => {
  it("run where they are this machine's, or of 32 bits on its 64", () => {
    expect(refuseForeign(machine, "x", () => "none")).toBeUndefined();
    const narrow = { amd64: "386", arm64: "arm" }[machine.architecture];
    if (narrow !== undefined) expect(refuseForeign({ os: "linux", architecture: narrow }, "x", () => "none")).toBeUndefined();
  });

  it("run where the kernel has an emulator", () => {
    expect(refuseForeign({ os: "linux", architecture: "s390x" }, "x", () => "reachable")).toBeUndefined();
  });

  it.each<[handler: "none" | "unreachable", what: string]>([
    ["none", "the kernel knows no emulator for it (binfmt_misc)"],
    ["unreachable", "the emulator that the kernel knows for it cannot be reached from a container (binfmt_misc, without the flag F)"],
  ])("are refused with %s, and the package is named", (handler, what) => {
    expect(thrown(() => refuseForeign({ os: "linux", architecture: "mips64le" }, "running app", () => handler))).toMatchObject({
      code: "UNSUPPORTED_PLATFORM",
      message: `running app: it is for linux/mips64le, this machine is ${platformText(machine)}, and ${what}`,
      hint: expect.stringContaining("qemu-user-static"),
    });
  });

  it("are refused for another system", () => {
    expect(thrown(() => refuseForeign({ os: "windows", architecture: "amd64" }, "running app"))).toMatchObject({
      message: "running app: it is for windows/amd64, and only programs for linux run here",
    });
  });
});
