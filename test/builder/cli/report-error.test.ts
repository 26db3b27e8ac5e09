import { describe, expect, it } from "vitest";
import { reportError } from "../../../builder/cli/report-error.ts";
import { UsageError } from "../../../builder/cli/usage-error.ts";
import { ConfigError } from "../../../builder/config.ts";
import { DockerfileError, DockerfileErrors } from "../../../builder/dockerfile/errors.ts";
import { StepError } from "../../../builder/step-error.ts";
import { SandboxError, TsbuildError } from "../../../runtime-addon/index.ts";
import { fakeIo } from "./fake-io.ts";

const source = { file: "Dockerfile", text: "FROM debian\nRUN npm ci && \\\n    npm run build\nFRM x\n" };
const run = { start: { line: 2, column: 1 }, end: { line: 3, column: 18 } };

function report(error: unknown): { code: number; printed: string } {
  const io = fakeIo();
  const code = reportError(error, io);
  return { code, printed: io.printed.stderr };
}

describe("printed errors", () => {
  it("of ours have message, code and hint", () => {
    expect(report(new TsbuildError("NOT_FOUND", "resolving app: there is no such image", { hint: "tsbuild images lists them" }))).toEqual({
      code: 1,
      printed: "error: resolving app: there is no such image [NOT_FOUND]\n  hint: tsbuild images lists them\n",
    });
  });

  it("say what lies below, once", () => {
    const below = new Error("EACCES: permission denied, open '/x'");
    expect(report(new TsbuildError("STORE", "opening the store", { cause: below })).printed).toBe(
      "error: opening the store [STORE]\n  because: EACCES: permission denied, open '/x'\n",
    );
    expect(report(new TsbuildError("STORE", `opening: ${below.message}`, { cause: below })).printed).toBe(
      "error: opening: EACCES: permission denied, open '/x' [STORE]\n",
    );
  });

  it.each<[name: string, error: unknown, code: number]>([
    ["a wrong command line", new UsageError("UNKNOWN_FLAG", "x"), 2],
    ["wrong settings", new ConfigError("CONFIG_SYNTAX", "f", 1, "x"), 2],
    ["no namespaces", new SandboxError("NAMESPACE_REFUSED", "x"), 3],
    ["no overlay", new SandboxError("NO_SANDBOX", "x"), 3],
    ["a missing command", new SandboxError("COMMAND_NOT_FOUND", "x"), 1],
    ["a context that is not there", new TsbuildError("CONTEXT_NOT_FOUND", "x"), 2],
    ["a context that is a file", new TsbuildError("CONTEXT_NOT_DIRECTORY", "x"), 2],
    ["a Dockerfile that is not there", new TsbuildError("DOCKERFILE_NOT_FOUND", "x"), 2],
    ["a name that no image can have", new TsbuildError("INVALID_REFERENCE", "x"), 2],
    [
      "such a name in a Dockerfile",
      new DockerfileError("INVALID_REFERENCE", "x", source, { start: { line: 1, column: 1 }, end: { line: 1, column: 2 } }),
      1,
    ],
    ["anything else", new Error("x"), 1],
    ["not even an error", "x", 1],
  ])("exit with the right code for %s", (_name, error, code) => {
    expect(report(error).code).toBe(code);
  });

  it("of a failed command show the instruction, how it ended, its last output and a hint", () => {
    const step = { title: "[2/2] RUN npm ci && npm run build", file: "Dockerfile", text: source.text, range: run };
    const error = new StepError(step, { kind: "exit", code: 7 }, ["npm ERR! missing\x1b[2J script", "npm ERR! \x1b[31mred\x1b[0m"], {
      hint: "try it",
    });
    expect(report(error)).toEqual({
      code: 1,
      printed: `Dockerfile:2:1: error: [2/2] RUN npm ci && npm run build: exit code 7 [STEP_FAILED]
    2 │ RUN npm ci && \\
      │ ~~~~~~~~~~~~~~~
    3 │     npm run build
  last output:
    npm ERR! missing script
    npm ERR! red
  hint: try it
`,
    });
  });

  it("of a killed command name the signal", () => {
    const step = { title: "RUN x", file: "Dockerfile", text: source.text, range: run };
    expect(report(new StepError(step, { kind: "signal", signal: "SIGKILL" }, [])).printed.split("\n")[0]).toBe(
      "Dockerfile:2:1: error: RUN x: killed by SIGKILL [STEP_FAILED]",
    );
  });

  it("of a Dockerfile show all of them", () => {
    const range = { start: { line: 4, column: 1 }, end: { line: 4, column: 4 } };
    const one = new DockerfileError("UNKNOWN_INSTRUCTION", 'unknown instruction "FRM"', source, range, { hint: 'did you mean "FROM"?' });
    const printed = `Dockerfile:4:1: error: unknown instruction "FRM" [UNKNOWN_INSTRUCTION]
    4 │ FRM x
      ╵ ~~~
  hint: did you mean "FROM"?
`;
    expect(report(one)).toEqual({ code: 1, printed });
    expect(report(new DockerfileErrors([one, one])).printed).toBe(`${printed}\n${printed}`);
  });

  it("we did not expect come with their stack", () => {
    expect(report(new RangeError("step 3 has no title")).printed).toMatch(/^internal error: RangeError: step 3 has no title\n {4}at /);
  });

  it("of the system have no stack, where they can happen to anyone", () => {
    const error = (code: string) => Object.assign(new Error(`${code}: no, open '/x'`), { code, errno: -1, syscall: "open", path: "/x" });
    expect(report(error("EACCES"))).toEqual({ code: 1, printed: "error: using /x: EACCES: no, open '/x' [SYSTEM_ERROR]\n" });
    expect(report(error("ENOENT")).printed).toMatch(/^internal error: Error: ENOENT: no, open '\/x'\n {4}at /);
  });

  it("cannot control the terminal", () => {
    expect(report(new TsbuildError("X", "reading \x1b]0;title\x07\x1b[2Jx", { hint: "a\x1b[2Jb" })).printed).toBe(
      "error: reading x [X]\n  hint: ab\n",
    );
  });

  it("are coloured on a terminal that wants it", () => {
    const print = (env: Record<string, string>) => {
      const io = fakeIo({ env });
      reportError(new TsbuildError("X", "x"), { ...io, stderr: { ...io.stderr, isTTY: true } });
      return io.printed.stderr;
    };
    expect(print({})).toBe("\x1b[31merror:\x1b[39m x [X]\n");
    expect(print({ NO_COLOR: "1" })).toBe("error: x [X]\n");
  });

  it("are no errors when we were cancelled", () => {
    const io = fakeIo();
    io.cancel.abort();
    expect(reportError(io.signal.reason, io)).toBe(130);
    expect(io.printed.stderr).toBe("cancelled\n");
  });

  it("that have another reason are not lost after a cancellation", () => {
    const io = fakeIo();
    io.cancel.abort();
    expect(reportError(new TsbuildError("STORE_DAMAGED", "x"), io)).toBe(1);
    expect(io.printed.stderr).toBe("error: x [STORE_DAMAGED]\n");
  });
});
