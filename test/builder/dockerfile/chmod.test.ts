import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseChmod } from "../../../builder/dockerfile/chmod.ts";
import { random } from "./random.ts";

const octal = (mode: number) => mode.toString(8).padStart(4, "0");

describe("--chmod", () => {
  // Mode, what it was of a file, what it is then; what it was of a directory, what it is then.
  it.each([
    ["755", "0644", "0755", "0700", "0755"],
    ["0755", "0644", "0755", "0700", "0755"],
    ["0", "0644", "0000", "0700", "0000"],
    ["4755", "0644", "4755", "0700", "4755"],
    ["7777", "0000", "7777", "0000", "7777"],
    ["00000755", "0644", "0755", "0700", "0755"],
    ["+x", "0644", "0755", "0600", "0711"],
    ["-x", "0755", "0644", "0755", "0644"],
    ["a+x", "0600", "0711", "0600", "0711"],
    ["u+x", "0644", "0744", "0644", "0744"],
    ["ug+w", "0444", "0664", "0444", "0664"],
    ["go-rwx", "0777", "0700", "0777", "0700"],
    ["go=", "0777", "0700", "0777", "0700"],
    ["=r", "0777", "0444", "0777", "0444"],
    ["a=", "0777", "0000", "0777", "0000"],
    ["u=rwX,go=rX", "0640", "0644", "0700", "0755"],
    ["u=rwX,go=rX", "0740", "0755", "0600", "0755"],
    ["+X", "0644", "0644", "0644", "0755"],
    ["+X", "0744", "0755", "0644", "0755"],
    ["u+x,g-r,o=w", "0644", "0702", "0644", "0702"],
    ["u+x-w", "0644", "0544", "0644", "0544"],
    ["g=u", "0640", "0660", "0700", "0770"],
    ["go=u-w", "0600", "0644", "0700", "0755"],
    ["o=g", "0640", "0644", "0640", "0644"],
    ["u+s", "0755", "4755", "0755", "4755"],
    ["g+s", "0755", "2755", "0755", "2755"],
    ["+s", "0755", "6755", "0755", "6755"],
    ["o+s", "0755", "0755", "0755", "0755"],
    ["+t", "0777", "1777", "0777", "1777"],
    ["-t", "1777", "0777", "1777", "0777"],
    ["u=rwx", "4644", "0744", "4644", "0744"],
    ["u-s,g-s", "6755", "0755", "6755", "0755"],
    ["o+w", "4755", "4757", "4755", "4757"],
    ["uo+r", "0000", "0404", "0000", "0404"],
    ["+", "0644", "0644", "0644", "0644"],
  ])("%s: file %s becomes %s, directory %s becomes %s", (text, file, fileAfter, directory, directoryAfter) => {
    const change = parseChmod(text);
    expect(octal(change.apply(Number.parseInt(file, 8), false))).toBe(fileAfter);
    expect(octal(change.apply(Number.parseInt(directory, 8), true))).toBe(directoryAfter);
  });

  it("tells a mode given as a number", () => {
    expect(parseChmod("755").octal).toBe(0o755);
    expect(parseChmod("u=rwx").octal).toBeUndefined();
  });

  it.each(["", "8", "64a", "10000", "-1", "x", "u", "u+q", "+x,", ",+x", "u+x,,g+x", "a x", "0x1ff", "u=rw x", "77777777777777777777"])(
    "%j is refused",
    (text) => {
      expect(() => parseChmod(text)).toThrowError(expect.objectContaining({ code: "INVALID_CHMOD" }));
    },
  );

  it("200 random modes do what chmod(1) does to a file", () => {
    const next = random(7);
    const pick = (from: string) => from[next(from.length)] as string;
    // GNU's X looks at what earlier clauses left, POSIX's at the file: the same in the first clause.
    const letters = (set: string) => (next(4) === 0 ? pick("ugo") : Array.from({ length: next(4) }, () => pick(set)).join(""));
    const part = (_: unknown, index: number) =>
      `${["u", "g", "o", "a", "ug", "go", "uo", "ugo", ""][next(9)]}${pick("+-=")}${letters(index === 0 ? "rwxX" : "rwx")}`;
    const cases = Array.from({ length: 200 }, () => ({
      mode: octal(next(0o1000)),
      change: Array.from({ length: 1 + next(3) }, part).join(","),
    }));
    const directory = mkdtempSync(join(tmpdir(), "tsbuild-chmod-"));
    try {
      const script = [
        "umask 0",
        "touch f",
        ...cases.map(({ mode, change }) => `chmod ${mode} f; chmod -- '${change}' f; stat -c %04a f`),
      ].join("\n");
      const real = execFileSync("sh", { input: script, cwd: directory, encoding: "utf8" }).trim().split("\n");
      const ours = cases.map(({ mode, change }) => octal(parseChmod(change).apply(Number.parseInt(mode, 8), false)));
      const shown = (modes: readonly string[]) => cases.map(({ mode, change }, i) => `${mode} ${change} => ${modes[i]}`);
      expect(shown(ours)).toEqual(shown(real.map((mode) => mode.padStart(4, "0"))));
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
