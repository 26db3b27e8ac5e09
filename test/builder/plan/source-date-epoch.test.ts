import { describe, expect, it } from "vitest";
import { DockerfileError } from "../../../builder/dockerfile/errors.ts";
import { parseDockerfile } from "../../../builder/dockerfile/parse.ts";
import type { PlanOptions } from "../../../builder/plan/build-plan.ts";
import { epochSource } from "../../../builder/plan/source-date-epoch.ts";
import { TsbuildError } from "../../../store/errors.ts";
import { plainOptions } from "./planned.ts";

type Change = Partial<PlanOptions>;

function found(text: string, change: Change = {}, given?: number | string): unknown {
  return epochSource(parseDockerfile(text, "Dockerfile"), { ...plainOptions, ...change }, given);
}

/** "LINE CODE: MESSAGE (HINT)"; no line where it is not about the Dockerfile. */
function problem(text: string, change: Change = {}, given?: number | string): string {
  try {
    return JSON.stringify(found(text, change, given));
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    const line = error instanceof DockerfileError ? `${error.range.start.line} ` : "";
    return `${line}${error.code}: ${error.message}${error.hint === undefined ? "" : ` (${error.hint})`}`;
  }
}

const arg = (value: string): Change => ({ buildArgs: { SOURCE_DATE_EPOCH: value } });
const files: Change = { contexts: { src: { kind: "files" }, "debian:12": { kind: "image", image: "x" } } };
const stage = "FROM scratch AS src\nADD https://host/f /\n";
const remote = { from: "remote", source: { kind: "http", url: "https://host/f", name: "f" }, range: { start: { line: 2 } } };

describe("SOURCE_DATE_EPOCH", () => {
  it.each<[name: string, text: string, change: Change, given: number | string | undefined, expected: object | undefined]>([
    ["nobody says", "FROM scratch\nARG SOURCE_DATE_EPOCH=5", {}, undefined, undefined],
    ["a number", "FROM scratch", {}, 5, { from: "number", seconds: 5 }],
    ["the last second", "FROM scratch", {}, "253402300799", { from: "number", seconds: 253_402_300_799 }],
    ["an option above an argument", "FROM scratch", arg("6"), "5", { from: "number", seconds: 5 }],
    ["an argument above a default", "ARG SOURCE_DATE_EPOCH=5\nFROM scratch", arg("6"), undefined, { from: "number", seconds: 6 }],
    ["a default", "ARG SOURCE_DATE_EPOCH=5\nFROM scratch", {}, undefined, { from: "number", seconds: 5 }],
    ["a default made of others", "ARG A=con\nARG SOURCE_DATE_EPOCH=${A}text\nFROM scratch", {}, undefined, { from: "context" }],
    ["an ARG without default", "ARG SOURCE_DATE_EPOCH\nFROM scratch", {}, undefined, undefined],
    ["an empty argument", "ARG SOURCE_DATE_EPOCH=5\nFROM scratch", arg(""), undefined, { from: "nothing" }],
    ["context, whatever else has the name", "FROM scratch AS context\nRUN x", arg("context"), undefined, { from: "context" }],
    ["git, of the option", "FROM i AS git\nRUN x", {}, "git", { from: "commit" }],
    ["git, of an argument a name like others", stage.replace("src", "git"), arg("git"), undefined, remote],
    ["a context", "FROM scratch", { ...files, ...arg("src") }, undefined, { from: "context", name: "src" }],
    ["a context before a stage", stage, { ...files, ...arg("src") }, undefined, { from: "context", name: "src" }],
    ["a context by a name for the same", "FROM scratch", files, "docker.io/library/debian:12", { from: "context", name: "debian:12" }],
    ["a stage", stage, {}, "SRC", remote],
    ["the first stage of the name", `${stage}FROM scratch AS src\nRUN x`, {}, "src", remote],
    [
      "a stage with ARGs",
      "ARG H=host\nFROM scratch AS src\nARG H\nARG F=f\nADD https://$H/$F /",
      {},
      "src",
      { ...remote, range: { start: { line: 5 } } },
    ],
    [
      "a stage with a repository",
      "FROM scratch AS src\nADD --checksum=0123456789 https://host/r.git#v1 /",
      {},
      "src",
      { from: "remote", source: { kind: "git", remote: "https://host/r.git", ref: "v1", checksum: "0123456789" } },
    ],
    [
      "a stage that asks for the time itself sees none",
      "ARG SOURCE_DATE_EPOCH=src\nFROM scratch AS src\nARG SOURCE_DATE_EPOCH\nADD https://host/f$SOURCE_DATE_EPOCH /",
      {},
      undefined,
      { ...remote, range: { start: { line: 4 } } },
    ],
  ])("%s", (_name, text, change, given, expected) => {
    const source = found(text, change, given);
    if (expected === undefined) expect(source).toBeUndefined();
    else expect(source).toMatchObject(expected);
  });

  const fit = "(such a stage is FROM scratch, ARG, and one ADD of one URL or git repository)";
  const numbers = "is not a number of seconds from 0 to 253402300799";
  const unknown = "is no number of seconds, and no context and no stage has that name";
  const named = "(it is a number, context, or the name of a --build-context or of a stage)";
  it.each<[name: string, text: string, given: number | string | undefined, expected: string]>([
    ["a negative number", "FROM scratch", -1, `INVALID_EPOCH: reading SOURCE_DATE_EPOCH: "-1" ${numbers}`],
    ["a part of a second", "FROM scratch", 1.5, `INVALID_EPOCH: reading SOURCE_DATE_EPOCH: "1.5" ${numbers}`],
    ["no number", "FROM scratch", Number.NaN, `INVALID_EPOCH: reading SOURCE_DATE_EPOCH: "NaN" ${numbers}`],
    ["a year of five digits", "FROM scratch", "253402300800", `INVALID_EPOCH: reading SOURCE_DATE_EPOCH: "253402300800" ${numbers}`],
    [
      "a default that is no number",
      "ARG A\nARG SOURCE_DATE_EPOCH=-5\nFROM scratch",
      undefined,
      `2 INVALID_EPOCH: reading SOURCE_DATE_EPOCH: "-5" ${numbers}`,
    ],
    ["a word for nothing", "FROM scratch", "tomorrow", `INVALID_EPOCH: reading SOURCE_DATE_EPOCH: "tomorrow" ${unknown} ${named}`],
    ["a slip", stage, "sorc", `INVALID_EPOCH: reading SOURCE_DATE_EPOCH: "sorc" ${unknown} (did you mean "src"?)`],
    [
      "git as a default",
      "ARG SOURCE_DATE_EPOCH=git\nFROM scratch",
      undefined,
      `1 INVALID_EPOCH: reading SOURCE_DATE_EPOCH: "git" ${unknown} (the last commit's time is taken with --source-date-epoch git)`,
    ],
    [
      "a word that would write to a terminal",
      "FROM scratch",
      `\u001b[2J${"x".repeat(200)}`,
      `INVALID_EPOCH: reading SOURCE_DATE_EPOCH: "?[2J${"x".repeat(76)}…" ${unknown} ${named}`,
    ],
    [
      "a URL, without what may be secret of it",
      "FROM scratch",
      "https://u:SECRET@host/f?token=SECRET",
      `INVALID_EPOCH: reading SOURCE_DATE_EPOCH: "https://host/f" ${unknown} ${named}`,
    ],
    [
      "a stage on an image",
      "FROM i AS src\nADD https://host/f /",
      "src",
      `1 INVALID_EPOCH: taking SOURCE_DATE_EPOCH from stage "src": it stands on files ${fit}`,
    ],
    [
      "a stage without ADD",
      "FROM scratch AS src\nARG A",
      "src",
      `1 INVALID_EPOCH: taking SOURCE_DATE_EPOCH from stage "src": it has no ADD ${fit}`,
    ],
    [
      "a stage with two",
      `${stage}ADD https://host/g /`,
      "src",
      `3 INVALID_EPOCH: taking SOURCE_DATE_EPOCH from stage "src": it has more than one ADD ${fit}`,
    ],
    [
      "a stage with another instruction",
      `${stage}LABEL a=b`,
      "src",
      `3 INVALID_EPOCH: taking SOURCE_DATE_EPOCH from stage "src": it has LABEL ${fit}`,
    ],
    [
      "an ADD of two",
      "FROM scratch AS src\nADD https://host/f https://host/g /",
      "src",
      `2 INVALID_EPOCH: taking SOURCE_DATE_EPOCH from stage "src": its ADD has more than one source ${fit}`,
    ],
    [
      "an ADD with a heredoc",
      "FROM scratch AS src\nADD https://host/f <<x /\nx\n",
      "src",
      `2 INVALID_EPOCH: taking SOURCE_DATE_EPOCH from stage "src": its ADD has more than one source ${fit}`,
    ],
    [
      "an ADD of a path",
      "FROM scratch AS src\nADD f /",
      "src",
      `2 INVALID_EPOCH: taking SOURCE_DATE_EPOCH from stage "src": its ADD reads from the context ${fit}`,
    ],
    [
      "an ADD that is wrong itself",
      "FROM scratch AS src\nADD https://u:SECRET@host/f /",
      "src",
      "2 INVALID_SOURCE: reading the source https://host/f: it has a password in it (what a Dockerfile says can be read by everybody who has the image)",
    ],
  ])("refuses %s", (_name, text, given, expected) => {
    expect(problem(text, {}, given)).toBe(expected);
  });
});
