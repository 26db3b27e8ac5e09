import { describe, expect, it } from "vitest";
import type { LockEntry } from "../../../builder/lock/lock-entry.ts";
import { formatLock, parseLock } from "../../../builder/lock/lock-text.ts";
import { TsbuildError } from "../../../store/errors.ts";

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const commit = "c".repeat(40);

const entries: readonly LockEntry[] = [
  { kind: "http", name: "https://host/tool.tgz", of: "", value: digest("3") },
  { kind: "images", name: "docker.io/library/debian:12", of: "linux/arm64", value: digest("2") },
  { kind: "git", name: "https://host/lib.git", of: "main", value: commit },
  { kind: "images", name: "docker.io/library/alpine:latest", of: "linux/amd64", value: digest("4") },
  { kind: "images", name: "docker.io/library/debian:12", of: "linux/amd64", value: digest("1") },
  { kind: "git", name: "https://host/lib.git", of: "HEAD", value: "d".repeat(64) },
];

const text = `{
  "version": 1,
  "images": {
    "docker.io/library/alpine:latest": {
      "linux/amd64": "${digest("4")}"
    },
    "docker.io/library/debian:12": {
      "linux/amd64": "${digest("1")}",
      "linux/arm64": "${digest("2")}"
    }
  },
  "git": {
    "https://host/lib.git": {
      "HEAD": "${"d".repeat(64)}",
      "main": "${commit}"
    }
  },
  "http": {
    "https://host/tool.tgz": "${digest("3")}"
  }
}
`;

function parse(source: string): readonly LockEntry[] {
  return parseLock(
    source,
    (line, problem, hint) => new TsbuildError("LOCK_INVALID", `line ${line}: ${problem}`, hint === undefined ? {} : { hint }),
  );
}

describe("the text of a lock file", () => {
  it("has the entries in order, one a line", () => {
    expect(formatLock(entries)).toBe(text);
    expect(formatLock([...entries].reverse())).toBe(text);
  });

  it("is read back", () => {
    expect(formatLock(parse(text))).toBe(text);
    expect(parse(text)).toHaveLength(entries.length);
  });

  it("of nothing is a version", () => {
    expect(formatLock([])).toBe('{\n  "version": 1\n}\n');
    expect(parse(formatLock([]))).toEqual([]);
  });

  it("is read in any layout, with sections that are empty", () => {
    expect(parse(` {"http":{},\r\n\t"images" : { "a" : { } } , "version":1}`)).toEqual([]);
    expect(parse(formatLock(entries).replaceAll("\n", "\r\n"))).toHaveLength(entries.length);
  });

  it("cannot control the terminal that shows it, and means the same", () => {
    const hostile: LockEntry = { kind: "git", name: "h:\u202egnp.exe\u001b[2J", of: "__proto__", value: commit };
    const written = formatLock([hostile]);
    expect(written).toMatch(/^[\x20-\x7e\n]*$/);
    expect(parse(written)).toEqual([hostile]);
  });

  it.each<[name: string, source: string, message: string, hint?: string]>([
    ["an empty file", "", "line 1: it ends where a value should be"],
    ["no JSON", "FROM scratch\n", "line 1: here should be a value"],
    ["a list", "\n[]", "line 2: here should be a value"],
    ["a text", '"version"', "line 1: a lock file is an object in { }"],
    ["what is cut off", text.slice(0, text.indexOf("linux/arm64") - 2), 'line 9: it ends where a name in " should be'],
    ["a comma too many", '{\n"version": 1,\n}', 'line 3: here should be a name in "'],
    ["a missing comma", '{\n"version": 1\n"http": {}}', 'line 3: here should be "," or "}"'],
    ["more behind it", '{"version": 1}\n{}', "line 2: here should be the end"],
    ["a broken escape", '{\n"\\x": 1}', "line 2: an escape sequence of a text is none"],
    ["a line end in a text", '{"a\nb": 1}', 'line 1: here should be a name in "'],
    ["nesting without end", '{"a":'.repeat(50_000), "line 1: objects are nested too deep"],
    [
      "a merge conflict",
      text.replace('    "docker.io/library/debian:12"', '<<<<<<< HEAD\n    "docker.io/library/debian:12"'),
      "line 7: it holds a merge conflict",
      "resolve it, or write the file anew",
    ],
    [
      "an entry that is there twice",
      `{"version": 1, "http": {\n"u": "${digest("1")}",\n"u": "${digest("2")}"}}`,
      'line 3: "u" is there twice',
    ],
    ["no version", '{"http": {}}', "line 1: it has no version, and so is no lock file"],
    [
      "a later version",
      '{"images": [],\n"version": 2}'.replace("[]", "{}"),
      "line 2: its version is 2, and this program reads version 1",
      "a later version of this program wrote it: use that one",
    ],
    [
      "another file with a version",
      '{\n"name": "app",\n"version": "1.0.0"}',
      'line 3: its version is "1.0.0", and this program reads version 1',
    ],
    ["an unknown field", '{"version": 1,\n"image": {}}', 'line 2: a lock file has no field "image"', 'did you mean "images"?'],
    ["a section that is none", '{"version": 1,\n"git": "x"}', 'line 2: "git" is an object in { }'],
    ["an image without platforms", `{"version": 1, "images": {\n"a": "${digest("1")}"}}`, 'line 2: "a" is an object in { }'],
    [
      "a digest cut short",
      '{"version": 1, "http": {\n\n"u": "sha256:12"}}',
      'line 3: "sha256:12" is no digest (sha256: and 64 hex digits)',
    ],
    ["a number for a digest", '{"version": 1, "http": {"u": 12}}', "line 1: 12 is no digest (sha256: and 64 hex digits)"],
    ["a short commit", '{"version": 1, "git": {"r": {"main": "abcdef0"}}}', 'line 1: "abcdef0" is no commit (40 or 64 hex digits)'],
  ])("refuses %s", (_name, source, message, hint) => {
    const error = (() => {
      try {
        return parse(source);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toMatchObject({ message, hint });
  });
});
