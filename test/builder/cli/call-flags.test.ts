import { describe, expect, it } from "vitest";
import { callFlags, readCall } from "../../../builder/cli/call-flags.ts";
import { dryRunFlags } from "../../../builder/cli/dry-run-output.ts";
import { parseFlags } from "../../../builder/cli/flags.ts";

function call(...argv: readonly string[]) {
  const { flags, operands } = parseFlags(
    { name: "build", operands: "", summary: "", flags: { ...callFlags, ...dryRunFlags }, examples: [] },
    argv,
  );
  return readCall(flags, operands);
}

const plain = { method: "build", format: "table", ignoreStatus: false };

describe("what is asked for", () => {
  it.each<[argv: readonly string[], expected: Partial<ReturnType<typeof call>>]>([
    [["."], {}],
    [["--call=build", "."], {}],
    [["--call", "build", "."], {}],
    [["--check=false", "."], {}],
    [["--format=oci", "."], {}],
    [["--format=table", "--dry-run", "."], {}],
    [["--format=json", "--dry-run", "."], { format: "json" }],
    [["--check", "."], { method: "check" }],
    [["--call=check", "."], { method: "check" }],
    [["--call=lint", "."], { method: "check" }],
    [["--check", "--call=check", "."], { method: "check" }],
    [["--call=check,ignorestatus=true", "."], { method: "check", ignoreStatus: true }],
    [["--call=outline", "."], { method: "outline" }],
    [["--call=outline,format=json", "."], { method: "outline", format: "json" }],
    [["--call=targets", "--format", "json", "."], { method: "targets", format: "json" }],
    [["--call=targets,format=text", "."], { method: "targets" }],
    [["--check", "--explain"], { method: "check", explain: [] }],
    [["--explain"], { method: "check", explain: [] }],
    [["--check", "--explain", "UndefinedVar"], { method: "check", explain: ["UndefinedVar"] }],
    [["--check", "--explain=UndefinedVar,FromAsCasing"], { method: "check", explain: ["UndefinedVar", "FromAsCasing"] }],
    [["--check", "--explain", "UndefinedVar", "."], { method: "check", explain: ["UndefinedVar"] }],
  ])("%j", (argv, expected) => {
    expect(call(...argv)).toEqual({ ...plain, ...expected });
  });

  it.each<[argv: readonly string[], message: string, hint?: string]>([
    [["--call=outlin"], 'reading --call: "outlin" is not one of build, check, outline, targets', "did you mean outline?"],
    [["--call=subrequests.describe"], 'reading --call: "subrequests.describe" is not one of build, check, outline, targets'],
    [["--call=outline,fmt=json"], 'reading --call: "fmt=json" is not format=FORMAT or ignorestatus=true'],
    [["--call=outline,format"], 'reading --call: "format" is not format=FORMAT or ignorestatus=true'],
    [["--call=check,ignorestatus=maybe"], 'reading --call: ignorestatus="maybe" is neither true nor false'],
    [["--call=outline", "--check"], 'reading --call: "outline" and --check contradict each other'],
    [["--check", "--format=jsn"], 'reading --format: "jsn" is not one of table, json', "did you mean json?"],
    [["--check", "--format=oci"], 'reading --format: "oci" is not one of table, json'],
    [
      ["--format=docker"],
      'reading --format: "docker" is for what --check, --call and --dry-run print',
      "images are OCI images; -o type=registry,oci-mediatypes=false pushes Docker's types",
    ],
    [["--format=json"], 'reading --format: "json" is for what --check, --call and --dry-run print', "an image has the formats of --output"],
    [["--check", "--dry-run"], "reading the command line: --dry-run and --check cannot be done at once"],
    [["--call=targets", "--dry-run"], "reading the command line: --dry-run and --call=targets cannot be done at once"],
  ])("%j is refused", (argv, message, hint) => {
    expect(() => call(...argv)).toThrow(expect.objectContaining({ code: "INVALID_VALUE", message, hint }));
  });
});
