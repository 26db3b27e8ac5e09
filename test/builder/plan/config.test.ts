import { describe, expect, it } from "vitest";
import { formatDuration, quote } from "../../../builder/plan/history.ts";
import { configOf, defaultPath } from "../../../builder/plan/stage-state.ts";
import type { ContainerConfig } from "../../../store/oci.ts";
import { planError, planned } from "./planned.ts";

/** The config without the search path, and the history texts, of instructions on an image "i". */
function result(instructions: string, base: ContainerConfig = {}) {
  const { state, history } = planned(`FROM i\n${instructions}`, { images: { i: base } }).target;
  const { Env = [], ...config } = configOf(state);
  const env = Env.filter((entry) => !entry.startsWith("PATH="));
  return { config: env.length === 0 ? config : { ...config, Env: env }, history: history.map(({ createdBy }) => createdBy) };
}

type Row = [name: string, instructions: string, config: ContainerConfig, history: string[], base?: ContainerConfig];

describe("config and history of", () => {
  it.each<Row>([
    ["ENV", "ENV A=1 B='x y'", { Env: ["A=1", "B=x y"] }, ["ENV A=1 B=x y"]],
    ["ENV of a name there is: it keeps its place", "ENV B=3", { Env: ["A=1", "B=3", "C=1"] }, ["ENV B=3"], { Env: ["A=1", "B=2", "C=1"] }],
    ["ENV with an empty value", "ENV A=", { Env: ["A="] }, ["ENV A="]],
    ["ARG", "ARG A=1\nARG B", {}, ["ARG A=1", "ARG B"]],
    ["ARG of several names", "ARG A=1 B C=x", {}, ["ARG A=1 B C=x"]],
    ["LABEL", 'LABEL a=1 "b c"="d e"', { Labels: { a: "1", "b c": "d e" } }, ["LABEL a=1 b c=d e"]],
    ["LABEL over the base's", "LABEL a=2 c=", { Labels: { a: "2", b: "1", c: "" } }, ["LABEL a=2 c="], { Labels: { a: "1", b: "1" } }],
    ["LABEL with variables", "ARG V=7\nLABEL v=$V", { Labels: { v: "7" } }, ["ARG V=7", "LABEL v=7"]],
    [
      "EXPOSE, whose words are sorted in the history",
      "EXPOSE 80 53/UDP 8000-8002",
      { ExposedPorts: { "80/tcp": {}, "53/udp": {}, "8000/tcp": {}, "8001/tcp": {}, "8002/tcp": {} } },
      ["EXPOSE [53/udp 80/tcp 8000/tcp 8001/tcp 8002/tcp]"],
    ],
    [
      "EXPOSE of a variable with several words",
      'ENV P="1 2"\nEXPOSE $P',
      { Env: ["P=1 2"], ExposedPorts: { "1/tcp": {}, "2/tcp": {} } },
      ["ENV P=1 2", "EXPOSE [1/tcp 2/tcp]"],
    ],
    [
      "EXPOSE beside the base's",
      "EXPOSE 2",
      { ExposedPorts: { "1/tcp": {}, "2/tcp": {} } },
      ["EXPOSE [2/tcp]"],
      { ExposedPorts: { "1/tcp": {} } },
    ],
    ["VOLUME in words", "VOLUME /a /b", { Volumes: { "/a": {}, "/b": {} } }, ["VOLUME [/a /b]"]],
    ["VOLUME in JSON", 'VOLUME ["/a b"]', { Volumes: { "/a b": {} } }, ["VOLUME [/a b]"]],
    ["USER", "ARG U=app\nUSER $U:10", { User: "app:10" }, ["ARG U=app", "USER app:10"]],
    ["STOPSIGNAL by name", "STOPSIGNAL SIGINT", { StopSignal: "SIGINT" }, ["STOPSIGNAL SIGINT"]],
    ["STOPSIGNAL by number", "STOPSIGNAL 9", { StopSignal: "9" }, ["STOPSIGNAL 9"]],
    ["SHELL", 'SHELL ["/bin/bash", "-c"]', { Shell: ["/bin/bash", "-c"] }, ["SHELL [/bin/bash -c]"]],
    ["CMD in exec form", 'CMD ["a", "$b"]', { Cmd: ["a", "$b"], ArgsEscaped: true }, ['CMD ["a" "$b"]']],
    ["CMD in shell form", "CMD a $b", { Cmd: ["/bin/sh", "-c", "a $b"], ArgsEscaped: true }, ['CMD ["/bin/sh" "-c" "a $b"]']],
    [
      "CMD in shell form under SHELL",
      'SHELL ["bash", "-ec"]\nCMD x',
      { Shell: ["bash", "-ec"], Cmd: ["bash", "-ec", "x"], ArgsEscaped: true },
      ["SHELL [bash -ec]", 'CMD ["bash" "-ec" "x"]'],
    ],
    [
      "CMD under the base's SHELL",
      "CMD x",
      { Shell: ["ash", "-c"], Cmd: ["ash", "-c", "x"], ArgsEscaped: true },
      ['CMD ["ash" "-c" "x"]'],
      { Shell: ["ash", "-c"] },
    ],
    ["CMD []", "CMD []", { Cmd: [], ArgsEscaped: true }, ["CMD []"], { Cmd: ["x"] }],
    ["ENTRYPOINT", 'ENTRYPOINT ["e"]', { Entrypoint: ["e"] }, ['ENTRYPOINT ["e"]']],
    ["ENTRYPOINT, which drops the base's CMD", 'ENTRYPOINT ["e"]', { Entrypoint: ["e"] }, ['ENTRYPOINT ["e"]'], { Cmd: ["x"] }],
    [
      "ENTRYPOINT behind the stage's own CMD",
      'CMD ["c"]\nENTRYPOINT ["e"]',
      { Cmd: ["c"], ArgsEscaped: true, Entrypoint: ["e"] },
      ['CMD ["c"]', 'ENTRYPOINT ["e"]'],
      { Cmd: ["x"] },
    ],
    [
      "ENTRYPOINT before the stage's own CMD",
      'ENTRYPOINT ["e"]\nCMD ["c"]',
      { Cmd: ["c"], ArgsEscaped: true, Entrypoint: ["e"] },
      ['ENTRYPOINT ["e"]', 'CMD ["c"]'],
      { Cmd: ["x"] },
    ],
    ["ENTRYPOINT []", "ENTRYPOINT []", { Entrypoint: [] }, ["ENTRYPOINT []"], { Entrypoint: ["x"] }],
    [
      "HEALTHCHECK in shell form",
      "HEALTHCHECK --interval=90s --timeout=1.5s --retries=3 CMD curl $X",
      { Healthcheck: { Test: ["CMD-SHELL", "curl $X"], Interval: 90e9, Timeout: 1.5e9, Retries: 3 } },
      ["HEALTHCHECK {Test:[CMD-SHELL curl $X] Interval:1m30s Timeout:1.5s StartPeriod:0s StartInterval:0s Retries:3}"],
    ],
    [
      "HEALTHCHECK in exec form",
      'HEALTHCHECK --start-period=1h --start-interval=20ms --retries=10 CMD ["c", "d"]',
      { Healthcheck: { Test: ["CMD", "c", "d"], StartPeriod: 3600e9, StartInterval: 20e6, Retries: 10 } },
      ["HEALTHCHECK {Test:[CMD c d] Interval:0s Timeout:0s StartPeriod:1h0m0s StartInterval:20ms Retries:10}"],
    ],
    [
      "HEALTHCHECK NONE",
      "HEALTHCHECK NONE",
      { Healthcheck: { Test: ["NONE"] } },
      ["HEALTHCHECK {Test:[NONE] Interval:0s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}"],
    ],
    [
      "MAINTAINER, whose text is taken as it is",
      "ENV A=1\nMAINTAINER Jo $A <jo@x>",
      { Env: ["A=1"] },
      ["ENV A=1", "MAINTAINER Jo $A <jo@x>"],
    ],
    ["the last of two CMDs", 'CMD ["a"]\nCMD ["b"]', { Cmd: ["b"], ArgsEscaped: true }, ['CMD ["a"]', 'CMD ["b"]']],
    [
      "the last of two HEALTHCHECKs, whole",
      "HEALTHCHECK --retries=3 CMD a\nHEALTHCHECK CMD b",
      { Healthcheck: { Test: ["CMD-SHELL", "b"] } },
      [
        "HEALTHCHECK {Test:[CMD-SHELL a] Interval:0s Timeout:0s StartPeriod:0s StartInterval:0s Retries:3}",
        "HEALTHCHECK {Test:[CMD-SHELL b] Interval:0s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}",
      ],
    ],
    ["USER that expands to nothing", "USER $X", { User: "" }, ["USER "], { User: "u" }],
    ["EXPOSE that expands to nothing", "EXPOSE $X", {}, ["EXPOSE []"]],
    ["ONBUILD, which has no history", "ONBUILD RUN x", { OnBuild: ["RUN x"] }, []],
  ])("%s", (_name, instructions, config, history, base) => {
    expect(result(instructions, base)).toEqual({ config, history });
  });

  it("MAINTAINER is the image's author", () => {
    expect(planned("FROM i\nMAINTAINER Jo").target.state.author).toBe("Jo");
    expect(planned("FROM i", { images: { i: { whole: { author: "Al" } } } }).target.state.author).toBe("Al");
  });

  it("a stage on a stage is what that stage comes to, but for whose CMD it is", () => {
    const { state } = planned('FROM i AS p\nLABEL a=1\nUSER u\nWORKDIR /w\nCMD ["c"]\nFROM p\nENTRYPOINT ["e"]').target;
    expect(configOf(state)).toEqual({
      Env: [`PATH=${defaultPath}`],
      Labels: { a: "1" },
      User: "u",
      WorkingDir: "/w",
      ArgsEscaped: true,
      Entrypoint: ["e"],
    });
  });

  it("scratch has a working directory and a search path", () => {
    expect(configOf(planned("FROM scratch").target.state)).toEqual({ WorkingDir: "/", Env: [`PATH=${defaultPath}`] });
  });

  it("a key that every object has is a label like others", () => {
    const { Labels } = configOf(planned("FROM i\nLABEL __proto__=1 constructor=2").target.state);
    expect(Object.entries(Labels ?? {})).toEqual([
      ["__proto__", "1"],
      ["constructor", "2"],
    ]);
  });
});

describe("an instruction is refused:", () => {
  it.each<[name: string, instruction: string, code: string, message: string]>([
    ["a port that is none", "EXPOSE 80/icmp", "INVALID_PORT", 'reading the port "80/icmp": the protocol is not tcp, udp or sctp'],
    ["a signal that is none", "STOPSIGNAL SIGNOPE", "INVALID_SIGNAL", 'reading the signal "SIGNOPE": there is no such signal'],
    ["a volume that expands to nothing", "VOLUME $X", "EMPTY_VALUE", "reading VOLUME: a path expands to nothing"],
    ["a required variable that is not set", "LABEL a=${X:?which}", "REQUIRED_VARIABLE", "X: which"],
  ])("%s", (_name, instruction, code, message) => {
    expect(planError(`FROM i\n${instruction}`)).toMatchObject({ code, message, line: 2 });
  });
});

describe("Go's forms in histories", () => {
  it.each([
    ["plain", '"plain"'],
    ['"\\', '"\\"\\\\"'],
    ["\n\t\r\u0007\b\f\v", '"\\n\\t\\r\\a\\b\\f\\v"'],
    ["\u0001\u007f", '"\\x01\\x7f"'],
    ["it's ü 🎉", '"it\'s ü 🎉"'],
  ])("quote %j as %s", (text, expected) => {
    expect(quote(text)).toBe(expected);
  });

  it.each([
    [0, "0s"],
    [1, "1ns"],
    [1500, "1.5µs"],
    [2e6, "2ms"],
    [1e9, "1s"],
    [61.5e9, "1m1.5s"],
    [3661e9, "1h1m1s"],
    [36000e9, "10h0m0s"],
  ])("write %d ns as %s", (ns, expected) => {
    expect(formatDuration(ns)).toBe(expected);
  });
});

describe("what Go does not print as it is", () => {
  it.each<[what: string, text: string, expected: string]>([
    ["a control character", "\u0001\u007f", '"\\x01\\x7f"'],
    ["a control character of Latin-1", "\u0085", '"\\u0085"'],
    ["a space that is no blank", "\u00a0\u200b", '"\\u00a0\\u200b"'],
    ["a character of the other planes", "\u{e0001}", '"\\U000e0001"'],
    ["letters, marks and pictures stay", "é漢\u0301😀 ", '"é漢\u0301😀 "'],
  ])("%s", (_what, text, expected) => {
    expect(quote(text)).toBe(expected);
  });
});
