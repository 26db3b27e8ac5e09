import { TsbuildError } from "../../runtime-addon/index.ts";
import { blankSeparated, keywordOf, leadingFlags, type Token } from "./arguments.ts";
import { Fault, quoted } from "./fault.ts";
import type { Flags } from "./flags.ts";
import type { From, OnBuild } from "./instruction.ts";
import { stringArray } from "./json-form.ts";
import { argDeclarations, keyValues } from "./key-values.ts";
import type { LogicalLine } from "./logical-line.ts";
import { parseMount } from "./mount.ts";
import { parseCopy } from "./parse-copy.ts";
import { parseHealthCheck } from "./parse-health-check.ts";
import { nearest } from "./suggest.ts";
import { commandOf, flagsOf, missing, type Parsed, type Written } from "./written.ts";

const keywords = [
  "ADD",
  "ARG",
  "CMD",
  "COPY",
  "ENTRYPOINT",
  "ENV",
  "EXPOSE",
  "FROM",
  "HEALTHCHECK",
  "LABEL",
  "MAINTAINER",
  "ONBUILD",
  "RUN",
  "SHELL",
  "STOPSIGNAL",
  "USER",
  "VOLUME",
  "WORKDIR",
];

/** The instruction that `word` was meant to be, if it can be told. */
export function nearestKeyword(word: string): string | undefined {
  return nearest(word, keywords);
}

function keywordHint(keyword: string): string {
  const near = nearestKeyword(keyword);
  if (near !== undefined) return `did you mean "${near}"?`;
  const glued = keywords.find((known) => keyword.startsWith(`${known}[`));
  return glued === undefined ? `the instructions are ${keywords.join(", ")}` : `put a blank behind ${glued}`;
}

/** Reads the instruction that begins at an offset of a logical line. Throws a Fault. */
export function parseInstruction(line: LogicalLine, escapeChar: string, from = 0): Parsed {
  const { keyword, from: start, to, next } = keywordOf(line.text, from);
  if (!keywords.includes(keyword)) {
    throw new Fault("UNKNOWN_INSTRUCTION", `unknown instruction ${quoted(line.text.slice(start, to))}`, start, to, {
      hint: keywordHint(keyword),
    });
  }
  const { flags, rest: at } = leadingFlags(line.text, next);
  const name = { text: keyword, from: start, to };
  const written: Written = { keyword, name, line, flags, rest: line.text.slice(at), at, escape: escapeChar };
  switch (keyword) {
    case "FROM":
      return parseFrom(written);
    case "RUN":
      return parseRun(written);
    case "COPY":
    case "ADD":
      return parseCopy(written, keyword);
    case "HEALTHCHECK":
      return parseHealthCheck(written);
    case "ONBUILD":
      return parseOnBuild(written);
    default:
      flagsOf(written, {});
      return parsePlain(written, keyword);
  }
}

function parsePlain(written: Written, keyword: string): Parsed {
  const { line, rest, at } = written;
  switch (keyword) {
    case "ENV":
    case "LABEL":
      if (rest === "") throw missing(written, `${keyword} needs at least one key=value`);
      return { keyword, pairs: keyValues(keyword, line.text, at, written.escape) };
    case "ARG":
      if (rest === "") throw missing(written, "ARG needs at least one name");
      return { keyword, args: argDeclarations(line.text, at, written.escape) };
    case "WORKDIR":
    case "USER":
    case "STOPSIGNAL":
    case "MAINTAINER":
      if (rest === "") throw missing(written, `${keyword} needs a value`);
      return { keyword, value: rest };
    case "EXPOSE":
      if (rest === "") throw missing(written, "EXPOSE needs at least one port");
      return { keyword, values: blankSeparated(line.text, at).map(({ text }) => text) };
    case "VOLUME": {
      const values = stringArray(rest, at) ?? blankSeparated(line.text, at).map(({ text }) => text);
      if (values.length === 0) throw missing(written, "VOLUME needs at least one path");
      if (values.some((value) => value.trim() === ""))
        throw new Fault("MISSING_ARGUMENT", "VOLUME has an empty path", at, line.text.length);
      return { keyword, values };
    }
    case "SHELL": {
      const args = stringArray(rest, at);
      if (args !== undefined && args.length > 0) return { keyword, args };
      if (args !== undefined || rest === "")
        throw missing(written, "SHELL needs at least the shell's name", 'write SHELL ["/bin/sh", "-c"]');
      throw new Fault("INVALID_JSON_FORM", "SHELL takes the JSON form only", at, line.text.length, {
        hint: 'write SHELL ["/bin/sh", "-c"]',
      });
    }
    default:
      // CMD and ENTRYPOINT: nothing behind the name means what `[]` means, no command.
      return { keyword: keyword as "CMD" | "ENTRYPOINT", command: rest === "" ? { form: "exec", args: [] } : commandOf(written) };
  }
}

function parseFrom(written: Written): Parsed<From> {
  const flags = flagsOf(written, { platform: "text" });
  const [image, as, stage, extra] = blankSeparated(written.line.text, written.at);
  if (image === undefined) throw missing(written, "FROM needs the name of an image or stage");
  // Empty is not given, as for BuildKit.
  const platform = flags.text("platform") || undefined;
  const base = { keyword: "FROM", image: image.text, ...(platform === undefined ? {} : { platform }) } as const;
  if (as === undefined) return base;
  if (as.text.toUpperCase() === "AS" && stage === undefined) {
    throw new Fault("MISSING_ARGUMENT", "FROM … AS needs a name for the stage", as.from, as.to, {
      hint: `write FROM ${image.text} AS NAME`,
    });
  }
  if (as.text.toUpperCase() !== "AS" || stage === undefined || extra !== undefined) {
    const [odd] = as.text.toUpperCase() === "AS" ? [extra ?? as] : [as];
    throw new Fault(
      "UNEXPECTED_ARGUMENT",
      `FROM takes an image, or an image, AS and a stage name: unexpected ${quoted(odd.text)}`,
      odd.from,
      odd.to,
      {
        hint: `write FROM ${image.text} AS NAME`,
      },
    );
  }
  if (!/^[a-z][a-z0-9-_.]*$/.test(stage.text.toLowerCase())) {
    throw new Fault("INVALID_STAGE_NAME", `${quoted(stage.text)} is no name for a stage`, stage.from, stage.to, {
      hint: "it begins with a letter and goes on with letters, digits, -, _ and .",
    });
  }
  return { ...base, stage: stage.text };
}

function parseRun(written: Written): Parsed {
  const flags = flagsOf(written, { mount: "list", network: "text", security: "text" });
  if (written.rest === "") throw missing(written, "RUN needs a command");
  const command = commandOf(written);
  if (command.form === "exec" && command.args.length === 0) throw missing(written, "RUN needs a command");
  const network = oneOf(flags, "network", ["default", "none", "host"]);
  const security = oneOf(flags, "security", ["sandbox", "insecure"]);
  return {
    keyword: "RUN",
    command,
    mounts: flags.list("mount").map((text, i) => atToken(flags.tokens("mount")[i], () => parseMount(text, written.escape))),
    ...(network === undefined ? {} : { network }),
    ...(security === undefined ? {} : { security }),
  };
}

/** An error about a flag's value gets the flag's place. */
function atToken<T>(token: Token | undefined, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof TsbuildError) || token === undefined) throw error;
    throw new Fault(error.code, error.message, token.from, token.to, error.hint === undefined ? {} : { hint: error.hint });
  }
}

function oneOf(flags: Flags, name: string, allowed: readonly string[]): string | undefined {
  const value = flags.text(name);
  if (value === undefined || allowed.includes(value)) return value;
  const { from, to } = flags.token(name);
  throw new Fault(
    "INVALID_FLAG",
    `RUN --${name} is ${quoted(value)}: expected ${allowed.slice(0, -1).join(", ")} or ${allowed.at(-1)}`,
    from,
    to,
  );
}

/** What ONBUILD may not hold. */
export const notInTriggers: readonly string[] = ["ONBUILD", "FROM", "MAINTAINER"];

function parseOnBuild(written: Written): Parsed<OnBuild> {
  flagsOf(written, {});
  if (written.rest === "") throw missing(written, "ONBUILD needs an instruction");
  const trigger = keywordOf(written.line.text, written.at);
  if (notInTriggers.includes(trigger.keyword)) {
    throw new Fault("INVALID_ONBUILD", `ONBUILD cannot hold ${trigger.keyword}`, trigger.from, trigger.to);
  }
  // Checked here, where its place is known: whoever builds on this image could not do anything about it.
  parseInstruction(written.line, written.escape, written.at);
  return { keyword: "ONBUILD", trigger: [written.rest, ...written.line.heredocs.map(({ raw, name }) => raw + name)].join("\n") };
}
