import { describe, expect, it } from "vitest";
import { configOf } from "../../../builder/plan/stage-state.ts";
import { planned } from "./planned.ts";

/** What the last RUN of a Dockerfile sees, without the default PATH. */
function runEnv(text: string, options: Parameters<typeof planned>[1] = {}): Record<string, string> {
  const operation = planned(text, options).target.steps.at(-1)?.operation;
  if (operation?.op !== "run") throw new Error("the last step is no RUN");
  const { PATH: _path, ...env } = operation.env;
  return env;
}

type Row = [name: string, text: string, expected: Record<string, string>, buildArgs?: Record<string, string>];

describe("what RUN sees of ARG and ENV", () => {
  it.each<Row>([
    ["nothing of a global ARG", "ARG A=1\nFROM i\nRUN x", {}],
    ["a global ARG that is declared bare", "ARG A=1\nFROM i\nARG A\nRUN x", { A: "1" }],
    ["a default over the global", "ARG A=1\nFROM i\nARG A=2\nRUN x", { A: "2" }],
    ["a build argument over both", "ARG A=1\nFROM i\nARG A=2\nRUN x", { A: "3" }, { A: "3" }],
    ["a build argument of a global, inherited bare", "ARG A=1\nFROM i\nARG A\nRUN x", { A: "3" }, { A: "3" }],
    ["nothing of a build argument that is not declared", "FROM i\nRUN x", {}, { A: "3" }],
    ["nothing of a declared ARG without a value", "FROM i\nARG A\nRUN x", {}],
    ["an empty default", "FROM i\nARG A=\nRUN x", { A: "" }],
    ["an empty build argument", "FROM i\nARG A=1\nRUN x", { A: "" }, { A: "" }],
    ["an ARG only behind its declaration", "FROM i\nENV B=$A\nARG A=1\nRUN x", { A: "1", B: "" }],
    ["a default that uses an earlier ARG", "FROM i\nARG A=1\nARG B=x$A\nRUN x", { A: "1", B: "x1" }],
    ["two ARGs on one line, the second using the first", "FROM i\nARG A=1 B=x$A\nRUN x", { A: "1", B: "x1" }],
    ["ENV over an earlier ARG", "FROM i\nARG A=1\nENV A=2\nRUN x", { A: "2" }],
    ["ARG over an earlier ENV", "FROM i\nENV A=2\nARG A=1\nRUN x", { A: "1" }],
    ["a bare ARG that leaves ENV as it is", "FROM i\nENV A=2\nARG A\nRUN x", { A: "2" }],
    ["values from before the instruction in one ENV", "FROM i\nENV A=1\nENV A=2 B=$A\nRUN x", { A: "2", B: "1" }],
    ["quotes that keep a variable as text", "FROM i\nENV A=1\nENV B='$A' C=\"$A\" D=\\$A\nRUN x", { A: "1", B: "$A", C: "1", D: "$A" }],
    ["the last of two values", "FROM i\nENV A=1\nENV A=2\nRUN x", { A: "2" }],
    ["the legacy form with blanks", "FROM i\nENV A one two\nRUN x", { A: "one two" }],
    ["ARGs and ENVs of a stage below", "FROM i AS p\nARG A=1\nENV B=2\nFROM p\nRUN x", { A: "1", B: "2" }],
    ["nothing of a stage that is only copied from", "FROM i AS p\nARG A=1\nENV B=2\nFROM i\nCOPY --from=p /x /\nRUN x", {}],
    ["no platform without declaring it", "FROM i\nRUN x", {}],
    [
      "the platform once it is declared",
      "FROM i\nARG TARGETARCH\nARG TARGETPLATFORM\nRUN x",
      { TARGETARCH: "amd64", TARGETPLATFORM: "linux/amd64" },
    ],
    ["the target stage's name", "FROM i AS last\nARG TARGETSTAGE\nRUN x", { TARGETSTAGE: "last" }],
    ["a proxy variable that ARG declares", "FROM i\nARG HTTP_PROXY\nRUN x", { HTTP_PROXY: "http://p" }, { HTTP_PROXY: "http://p" }],
    [
      "names that are properties of every object",
      "FROM i\nARG __proto__=1\nARG constructor\nENV toString=2\nRUN x",
      JSON.parse('{"__proto__":"1","toString":"2"}'),
    ],
  ])("is %s", (_name, text, expected, buildArgs = {}) => {
    expect(Object.entries(runEnv(text, { buildArgs })).sort()).toEqual(Object.entries(expected).sort());
  });

  it("begins with the variables of the base image", () => {
    const env = runEnv("FROM i\nENV B=$A\nARG A=3\nRUN x", { images: { i: { Env: ["A=1=2", "C"] } } });
    expect(env).toEqual({ A: "3", B: "1=2", C: "" });
  });

  it("does not meet a default that cannot be expanded where a build argument replaces it", () => {
    expect(runEnv("FROM i\nARG A=${B:?is needed}\nRUN x", { buildArgs: { A: "1" } })).toEqual({ A: "1" });
  });
});

describe("the search path", () => {
  const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  const pathOf = (text: string, Env: readonly string[]) => {
    const config = configOf(planned(text, { images: { i: { Env } } }).target.state);
    return config.Env?.find((entry) => entry.startsWith("PATH="));
  };

  it.each<[name: string, text: string, env: string[], expected: string]>([
    ["of the base image", "FROM i", ["PATH=/bin"], "PATH=/bin"],
    ["Docker's where the base has none", "FROM i", ["A=1"], `PATH=${defaultPath}`],
    ["Docker's in scratch", "FROM scratch", [], `PATH=${defaultPath}`],
    ["extended", "FROM i\nENV PATH=/x:$PATH", ["PATH=/bin"], "PATH=/x:/bin"],
  ])("is %s", (_name, text, env, expected) => {
    expect(pathOf(text, env)).toBe(expected);
  });
});
