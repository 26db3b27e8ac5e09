import { describe, expect, it } from "vitest";
import { parseDuration } from "../../../builder/dockerfile/duration.ts";
import { parseChown, parseExpose, parseKeyValueFlags, parseStopSignal } from "../../../builder/dockerfile/values.ts";
import { TsbuildError } from "../../../runtime-addon/index.ts";

function codeOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    if (error instanceof TsbuildError) return error.code;
    throw error;
  }
  return "no error";
}

describe("durations", () => {
  it.each([
    ["0", 0],
    ["-0", 0],
    ["+0", 0],
    ["1ns", 1],
    ["1us", 1e3],
    ["1\u00b5s", 1e3],
    ["1\u03bcs", 1e3],
    ["1ms", 1e6],
    ["1s", 1e9],
    ["1m", 60e9],
    ["1h", 3600e9],
    ["1h2m3s4ms5us6ns", 3_723_004_005_006],
    ["1m1m", 120e9],
    ["1.5s", 1.5e9],
    ["1.s", 1e9],
    [".5s", 5e8],
    ["0.1ns", 0],
    ["-0s", 0],
    ["1.0000000019s", 1_000_000_001],
    ["-1m", -60e9],
    ["+1m", 60e9],
    ["2562047h", 2562047 * 3600e9],
    ["", undefined],
    ["-", undefined],
    ["1", undefined],
    ["s", undefined],
    [".s", undefined],
    ["1d", undefined],
    ["1S", undefined],
    ["1 s", undefined],
    ["1s ", undefined],
    ["--1s", undefined],
    ["1e3s", undefined],
    ["3000000h", undefined],
    ["٣s", undefined],
  ])("%j", (text, expected) => {
    expect(parseDuration(text)).toBe(expected);
  });
});

describe("--chown", () => {
  it.each([
    ["root", { user: "root" }],
    ["0", { user: 0 }],
    ["1000:1000", { user: 1000, group: 1000 }],
    ["node:staff", { user: "node", group: "staff" }],
    ["1000:staff", { user: 1000, group: "staff" }],
    [":staff", { user: 0, group: "staff" }],
    ["node:", { user: "node" }],
    ["4294967294", { user: 4294967294 }],
    ["www-data", { user: "www-data" }],
    ["1a", { user: "1a" }],
  ])("%s", (text, expected) => {
    expect(parseChown(text)).toEqual(expected);
  });

  it.each(["", ":", "a:b:c", "a b", "4294967295", "1:99999999999999999999"])("%j is refused", (text) => {
    expect(codeOf(() => parseChown(text))).toBe("INVALID_CHOWN");
  });
});

describe("EXPOSE", () => {
  it.each([
    ["80", ["80/tcp"]],
    ["80/tcp", ["80/tcp"]],
    ["53/UDP", ["53/udp"]],
    ["9/sctp", ["9/sctp"]],
    ["80/", ["80/tcp"]],
    ["0080", ["80/tcp"]],
    ["80-82", ["80/tcp", "81/tcp", "82/tcp"]],
    ["80-80/udp", ["80/udp"]],
    ["0", ["0/tcp"]],
    ["65535", ["65535/tcp"]],
    ["8080:80", ["80/tcp"]],
    ["8080-8081:80-81/udp", ["80/udp", "81/udp"]],
    ["8000-9000:80", ["80/tcp"]],
    ["127.0.0.1:8080:80", ["80/tcp"]],
    ["127.0.0.1::80", ["80/tcp"]],
    ["[::1]:8080:80", ["80/tcp"]],
  ])("%s", (text, expected) => {
    expect(parseExpose(text)).toEqual(expected);
  });

  it.each([
    "",
    "/tcp",
    "a",
    "80/http",
    "80/tcp/udp",
    "65536",
    "-1",
    "82-80",
    "80-",
    "80-81-82",
    "1.5",
    "80:",
    "x:80",
    "80-81:80-82",
    "99999999999999",
    "localhost:80:80",
    "256.0.0.1:80:80",
    "::1:80",
  ])("%j is refused", (text) => {
    expect(codeOf(() => parseExpose(text))).toBe("INVALID_PORT");
  });

  it("the whole range is 65536 ports", () => {
    expect(parseExpose("0-65535")).toHaveLength(65536);
  });
});

describe("STOPSIGNAL", () => {
  it.each(["SIGTERM", "TERM", "sigterm", "term", "SIGKILL", "9", "15", "64", "99", "SIGRTMIN", "RTMIN+3", "SIGRTMAX-14", "SIGWINCH"])(
    "%s stays as written",
    (text) => {
      expect(parseStopSignal(text)).toBe(text);
    },
  );

  it.each(["", "0", "-1", "SIGFOO", "SIG", "SIGSIGTERM", "RTMIN+16", "RTMAX-15", "TERM ", "1.5"])("%j is refused", (text) => {
    expect(codeOf(() => parseStopSignal(text))).toBe("INVALID_SIGNAL");
  });
});

describe("--mount", () => {
  it.each([
    [
      "type=bind,source=a,target=/b",
      [
        { key: "type", value: "bind" },
        { key: "source", value: "a" },
        { key: "target", value: "/b" },
      ],
    ],
    ["target=/b,ro", [{ key: "target", value: "/b" }, { key: "ro" }]],
    ["Type=Cache", [{ key: "type", value: "Cache" }]],
    ["env=A=B", [{ key: "env", value: "A=B" }]],
    ["required=", [{ key: "required", value: "" }]],
    [
      'type=bind,"source=a,b"',
      [
        { key: "type", value: "bind" },
        { key: "source", value: "a,b" },
      ],
    ],
    ['"source=a ""b"""', [{ key: "source", value: 'a "b"' }]],
    ["target=${HOME:-/root}", [{ key: "target", value: "${HOME:-/root}" }]],
  ])("%s", (text, expected) => {
    expect(parseKeyValueFlags(text)).toEqual(expected);
  });

  it.each(["", ",", "type=bind,", "=x", 'a="b"', '"a=b', '"a"b=c'])("%j is refused", (text) => {
    expect(codeOf(() => parseKeyValueFlags(text))).toBe("INVALID_MOUNT");
  });
});
