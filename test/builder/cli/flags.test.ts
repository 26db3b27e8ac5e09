import { describe, expect, it } from "vitest";
import { type CommandSpec, parseFlags } from "../../../builder/cli/flags.ts";
import { UsageError } from "../../../builder/cli/usage-error.ts";
import { thrown } from "./thrown.ts";

const flags = {
  tag: { short: "t", value: "NAME", many: true, help: "a tag" },
  file: { short: "f", value: "FILE", help: "a file" },
  mode: { value: "MODE", blank: true, choices: ["fast", "slow"], choiceHint: "fast is what others call turbo", help: "a mode" },
  pull: { value: "WHEN", choices: ["always", "never"], implied: "always", help: "when" },
  quiet: { short: "q", help: "say nothing" },
  interactive: { short: "i", help: "listen" },
} as const;

const spec: CommandSpec<typeof flags> = {
  name: "make",
  operands: "PATH",
  summary: "Make.",
  flags,
  foreign: {
    secret: { value: true, missing: "steps cannot be given secrets" },
    output: { short: "o", value: true, missing: "there is one output" },
    squash: { missing: "layers stay" },
    provenance: { value: true, off: "false", missing: "there is none" },
    rm: { note: "always done" },
    "force-rm": { note: "always done" },
  },
  examples: [],
};

describe("flags", () => {
  it.each<[name: string, argv: string[], flags: object, operands: string[]]>([
    ["a value in the next word", ["--file", "x", "."], { file: "x" }, ["."]],
    ["a value after =", ["--file=x=y", "."], { file: "x=y" }, ["."]],
    ["an empty value after =", ["--file=", "."], { file: "" }, ["."]],
    ["no value where an empty one is none", ["--mode=", "--mode", "", "."], {}, ["."]],
    ["a short flag and its value", ["-f", "x", "."], { file: "x" }, ["."]],
    ["a short flag joined with its value", ["-fx", "."], { file: "x" }, ["."]],
    ["a short flag with =", ["-f=x", "."], { file: "x" }, ["."]],
    ["- as a value", ["-f", "-", "."], { file: "-" }, ["."]],
    ["- as an operand", ["-"], {}, ["-"]],
    ["a value that looks like a flag", ["--file", "--quiet"], { file: "--quiet" }, []],
    ["joined switches", ["-qi"], { quiet: true, interactive: true }, []],
    ["joined switches and a value", ["-qfx"], { quiet: true, file: "x" }, []],
    ["a switch set to false", ["--quiet=false"], { quiet: false }, []],
    ["a switch set to 1", ["-q", "--interactive=1"], { quiet: true, interactive: true }, []],
    ["the last of several values", ["-f", "a", "-f", "b"], { file: "b" }, []],
    ["all of repeated values, in order", ["-t", "a", ".", "--tag=b"], { tag: ["a", "b"] }, ["."]],
    ["flags behind operands", [".", "-q"], { quiet: true }, ["."]],
    ["no flags after --", ["-q", "--", "-f", "--tag"], { quiet: true }, ["-f", "--tag"]],
    ["a choice", ["--mode", "slow"], { mode: "slow" }, []],
    ["a flag that may stand alone", ["--pull", "."], { pull: "always" }, ["."]],
    ["a flag that may stand alone, with a value", ["--pull=never", "."], { pull: "never" }, ["."]],
    ["nothing", [], {}, []],
  ])("understand %s", (_name, argv, expected, operands) => {
    const parsed = parseFlags(spec, argv);
    expect({ flags: parsed.flags, operands: parsed.operands, help: parsed.help }).toEqual({ flags: expected, operands, help: false });
  });

  it.each<[name: string, argv: string[], code: string, message: string, hint: string | undefined]>([
    ["an unknown flag", ["--fil", "x"], "UNKNOWN_FLAG", "reading the command line: make has no flag --fil", "did you mean --file?"],
    [
      "an unknown flag far from all",
      ["--zzzzzz"],
      "UNKNOWN_FLAG",
      "reading the command line: make has no flag --zzzzzz",
      "tsbuild make --help lists the flags",
    ],
    [
      "an unknown short flag",
      ["-Z"],
      "UNKNOWN_FLAG",
      "reading the command line: make has no flag -Z",
      "tsbuild make --help lists the flags",
    ],
    [
      "a name of Object.prototype",
      ["--constructor"],
      "UNKNOWN_FLAG",
      "reading the command line: make has no flag --constructor",
      "tsbuild make --help lists the flags",
    ],
    [
      "__proto__",
      ["--__proto__=x"],
      "UNKNOWN_FLAG",
      "reading the command line: make has no flag --__proto__",
      "tsbuild make --help lists the flags",
    ],
    ["a missing value", ["--file"], "MISSING_VALUE", "reading the command line: --file needs a value (FILE)", undefined],
    ["a missing short value", ["-t"], "MISSING_VALUE", "reading the command line: -t needs a value (NAME)", undefined],
    [
      "another's choice",
      ["--mode=turbo"],
      "INVALID_VALUE",
      'reading --mode: "turbo" is not one of fast, slow',
      "fast is what others call turbo",
    ],
    ["a wrong choice", ["--mode=slwo"], "INVALID_VALUE", 'reading --mode: "slwo" is not one of fast, slow', "did you mean slow?"],
    ["a switch with a value", ["--quiet=maybe"], "INVALID_VALUE", 'reading --quiet: "maybe" is neither true nor false', undefined],
    [
      "a flag of another builder",
      ["--secret", "id=x"],
      "UNSUPPORTED_FLAG",
      "reading the command line: --secret is not supported: steps cannot be given secrets",
      undefined,
    ],
    ["its short form", ["-o", "out"], "UNSUPPORTED_FLAG", "reading the command line: -o is not supported: there is one output", undefined],
    [
      "a switch of another builder",
      ["--squash"],
      "UNSUPPORTED_FLAG",
      "reading the command line: --squash is not supported: layers stay",
      undefined,
    ],
    [
      "one that asks for something",
      ["--provenance=max"],
      "UNSUPPORTED_FLAG",
      "reading the command line: --provenance is not supported: there is none",
      undefined,
    ],
  ])("refuse %s", (_name, argv, code, message, hint) => {
    const error = thrown(() => parseFlags(spec, argv));
    expect(error).toBeInstanceOf(UsageError);
    expect({ code: error.code, message: error.message, hint: error.hint }).toEqual({ code, message, hint });
  });

  it("accept without effect what asks for nothing, and say so", () => {
    expect(parseFlags(spec, ["--rm", "--provenance=false", "--provenance", "false", "."]).notes).toEqual(["--rm: always done"]);
    expect(parseFlags(spec, ["--rm", "--rm", "--force-rm"]).notes).toEqual(["--rm: always done", "--force-rm: always done"]);
  });

  it("see a call for help anywhere", () => {
    expect(parseFlags(spec, [".", "--help"]).help).toBe(true);
    expect(parseFlags(spec, ["-h"]).help).toBe(true);
  });

  it("end at the first operand where the rest belongs to another command", () => {
    const runLike = { ...spec, stopAtOperand: true };
    expect(parseFlags(runLike, ["-q", "image", "-f", "x", "--help", "--", "-q"])).toEqual({
      help: false,
      flags: { quiet: true },
      operands: ["image", "-f", "x", "--help", "--", "-q"],
      notes: [],
    });
    expect(parseFlags(runLike, ["--", "image", "--quiet"]).operands).toEqual(["image", "--quiet"]);
  });

  it("give a short name to the table rather than to help", () => {
    const withHost = { ...spec, flags: { ...flags, hostname: { short: "h", value: "NAME", help: "a name" } } } as const;
    const { help, flags: read } = parseFlags(withHost, ["-h", "box"]);
    expect({ help, hostname: read.hostname }).toEqual({ help: false, hostname: "box" });
  });
});
