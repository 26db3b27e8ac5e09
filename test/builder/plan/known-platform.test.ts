import { describe, expect, it } from "vitest";
import { refuseUnknownArchitecture, unknownPlatform } from "../../../builder/plan/known-platform.ts";

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

it.each<[os: string, architecture: string, said: string | undefined]>([
  ["linux", "amd64", undefined],
  ["windows", "arm64", undefined],
  ["linux", "adm64", 'the platform linux/adm64: no architecture "adm64" is known; did you mean linux/amd64?'],
  ["linxu", "amd64", 'the platform linxu/amd64: no system "linxu" is known; did you mean linux/amd64?'],
  ["linxu", "adm64", 'the platform linxu/adm64: no system "linxu" and no architecture "adm64" is known; did you mean linux/amd64?'],
  ["linux", "foobar", 'the platform linux/foobar: no architecture "foobar" is known'],
])("of %s/%s it is said what is not known", (os, architecture, said) => expect(unknownPlatform({ os, architecture })).toBe(said));
