import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { foreignHandler } from "../../runtime-addon/binfmt.ts";
import { temporaryDirectory } from "../support/temporary.ts";

// As Debian's qemu-user-static registers them.
const aarch64 = "offset 0\nmagic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n";
const s390x = "offset 0\nmagic 7f454c4602020100000000000000000000020016\nmask ffffffffffffff00fffffffffffffffffffeffff\n";

function kernel(entries: Readonly<Record<string, string>>): string {
  const directory = temporaryDirectory("binfmt");
  for (const [name, text] of Object.entries({ status: "enabled\n", register: "", ...entries })) writeFileSync(join(directory, name), text);
  return directory;
}

const entry = (state: string, flags: string, match: string) => `${state}\ninterpreter /usr/bin/qemu\nflags: ${flags}\n${match}`;

describe("an emulator that the kernel knows", () => {
  it.each<[name: string, architecture: string, entries: Record<string, string>, expected: string]>([
    ["is reachable when it was opened at once", "arm64", { q: entry("enabled", "POCF", aarch64) }, "reachable"],
    ["is reachable for big-endian machines", "s390x", { q: entry("enabled", "F", s390x) }, "reachable"],
    ["is not when it is looked for in the root", "arm64", { q: entry("enabled", "OC", aarch64) }, "unreachable"],
    ["is none for another architecture", "riscv64", { q: entry("enabled", "F", aarch64) }, "none"],
    ["is none when it is disabled", "arm64", { q: entry("disabled", "F", aarch64) }, "none"],
    ["is none when all are", "arm64", { status: "disabled\n", q: entry("enabled", "F", aarch64) }, "none"],
    ["is none for extensions of names", "arm64", { q: "enabled\ninterpreter /x\nflags: F\nextension .exe\n" }, "none"],
    ["is none for what nobody knows", "constructor", { q: entry("enabled", "F", aarch64) }, "none"],
  ])("%s", (_name, architecture, entries, expected) => {
    expect(foreignHandler(architecture, kernel(entries))).toBe(expected);
  });

  it("is none where there is no binfmt_misc", () => {
    expect(foreignHandler("arm64", join(temporaryDirectory(), "missing"))).toBe("none");
  });
});
