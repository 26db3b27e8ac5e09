import { describe, expect, it } from "vitest";
import { refuseUnknownArchitecture } from "../../../builder/plan/known-architecture.ts";

const linux = (architecture: string) => ({ os: "linux", architecture });

describe("the architecture of --platform", () => {
  it.each<[name: string, asked: string, bases: string[]]>([
    ["known", "s390x", []],
    ["known, on another base", "arm64", ["amd64"]],
    ["that of a base", "foo", ["amd64", "foo"]],
  ])("may be %s", (_name, asked, bases) => expect(() => refuseUnknownArchitecture(linux(asked), bases.map(linux))).not.toThrow());

  it.each<[asked: string, hint: string]>([
    ["adm64", "did you mean amd64?"],
    ["foobar", "known ones: 386, amd64, amd64p32, arm, "],
  ])("cannot be %s", (asked, hint) =>
    expect(() => refuseUnknownArchitecture(linux(asked), [linux("amd64")])).toThrow(
      expect.objectContaining({
        code: "INVALID_PLATFORM",
        message: `planning the build: no architecture "${asked}" is known (--platform linux/${asked})`,
        hint: expect.stringContaining(hint),
      }),
    ),
  );
});
