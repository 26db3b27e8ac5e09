import { describe, expect, it } from "vitest";
import { parseDockerfile } from "../../../builder/dockerfile/parse.ts";
import { outlineBuild, type PlannedImage } from "../../../builder/plan/build-plan.ts";
import { configOf } from "../../../builder/plan/stage-state.ts";
import { imageKey } from "../../../builder/plan/stages.ts";
import { amd64, type Planning, plainOptions, planError, planned } from "./planned.ts";

const on = (...OnBuild: string[]): Planning => ({ images: { base: { OnBuild } } });

function steps(text: string, options: Planning = {}): string[] {
  return planned(text, options).target.infos.map(({ title }) => title.replace(/^\[[^\]]*\] /, ""));
}

describe("triggers", () => {
  it("of a base image run before the stage's own instructions, and are used up", () => {
    const { target } = planned("FROM base\nRUN own $A", on("ENV A=1", "RUN first $A", "WORKDIR /w"));
    expect(target.steps.map(({ operation }) => (operation.op === "run" ? [operation.args.at(-1), operation.cwd] : operation.op))).toEqual([
      ["first $A", "/"],
      "workdir",
      ["own $A", "/w"],
    ]);
    expect(configOf(target.state)).not.toHaveProperty("OnBuild");
    expect(target.history).toEqual([
      { createdBy: "ENV A=1", layer: false },
      { createdBy: "RUN /bin/sh -c first $A # buildkit", layer: true },
      { createdBy: "WORKDIR /w", layer: true },
      { createdBy: "RUN /bin/sh -c own $A # buildkit", layer: true },
    ]);
  });

  it("are told apart in titles, and have the place of FROM", () => {
    const { target } = planned("FROM base\nRUN b", on("RUN a \\\n  c"));
    expect(target.infos.map(({ title }) => title)).toEqual(["[2/3] ONBUILD RUN a   c", "[3/3] RUN b"]);
    expect(target.infos[0]?.range).toEqual(target.fromInfo.range);
  });

  it("of an earlier stage run in each stage that stands on it, and not in those of others", () => {
    const text = "FROM i AS p\nONBUILD RUN t\nRUN own\nFROM p AS c\nRUN x\nFROM c\nRUN y";
    expect(steps(text, { targets: ["p"] })).toEqual(["RUN own"]);
    expect(steps(text, { targets: ["c"] })).toEqual(["ONBUILD RUN t", "RUN x"]);
    expect(steps(text)).toEqual(["RUN y"]);
    expect(configOf(planned(text, { targets: ["p"] }).target.state).OnBuild).toEqual(["RUN t"]);
    expect(configOf(planned(text, { targets: ["c"] }).target.state)).not.toHaveProperty("OnBuild");
  });

  it("of the base of an earlier stage run there alone, and the stage's own are all that its result has", () => {
    const text = "FROM base AS p\nONBUILD RUN mine\nFROM p";
    expect(steps(text, { ...on("RUN theirs"), targets: ["p"] })).toEqual(["ONBUILD RUN theirs"]);
    expect(configOf(planned(text, { ...on("RUN theirs"), targets: ["p"] }).target.state).OnBuild).toEqual(["RUN mine"]);
    expect(steps(text, on("RUN theirs"))).toEqual(["ONBUILD RUN mine"]);
  });

  it("of an image name repositories without a word of the user's, those of a stage with it", () => {
    const add = "ADD https://h/x.git /x";
    const named = (text: string) =>
      planned(text, on(add)).target.steps.flatMap(({ operation }) => (operation.op === "copy" ? operation.words : []));
    const git = { kind: "git", remote: "https://h/x.git" };
    expect(named(`FROM base\n${add}`)).toEqual([
      expect.objectContaining({ ...git, byImage: true }),
      expect.not.objectContaining({ byImage: true }),
    ]);
    expect(named(`FROM i AS p\nONBUILD ${add}\nFROM p`)).toEqual([expect.not.objectContaining({ byImage: true })]);
  });

  it("see the variables of the stage in which they run", () => {
    const { target } = planned("ARG G=g\nFROM base\nENV A=2", { ...on("ARG G", "ARG A=1", "ENV B=$A$G"), buildArgs: { A: "5" } });
    expect(configOf(target.state).Env).toContain("B=5g");
  });

  it("may hold heredocs", () => {
    const { target } = planned("FROM base", on("RUN <<EOF\na\nb\nEOF", "COPY <<F /f\n$HOME\nF"));
    expect(target.steps.map(({ operation }) => operation)).toMatchObject([
      { args: ["/bin/sh", "-c", "a\nb\n"] },
      { documents: [{ name: "F", content: "\n" }] },
    ]);
    const [first] = planned("FROM i AS p\nONBUILD RUN <<-EOF\n\ta\n\tEOF\nFROM p").target.steps;
    expect(first?.operation).toMatchObject({ args: ["/bin/sh", "-c", "a\n"] });
  });

  it("set a CMD of the stage's own, which an ENTRYPOINT leaves", () => {
    expect(configOf(planned('FROM base\nENTRYPOINT ["e"]', on('CMD ["c"]')).target.state).Cmd).toEqual(["c"]);
  });

  it("may name stages, contexts and images", () => {
    const text = "FROM i AS tools\nFROM i\nFROM base";
    const plan = planned(text, {
      ...on("COPY --from=TOOLS a /", "COPY --from=1 a /", "COPY --from=ctx a /", "RUN --mount=from=other,target=/o x"),
      contexts: { ctx: { kind: "files" } },
    });
    expect(plan.stages.map(({ index }) => index)).toEqual([0, 1, 2]);
    expect(plan.target.steps.map(({ operation }) => (operation.op === "copy" ? operation.origin : operation))).toMatchObject([
      { from: "stage", stage: 0 },
      { from: "stage", stage: 1 },
      { from: "context", name: "ctx" },
      { mounts: [{ origin: { from: "image", image: "other" } }] },
    ]);
  });

  it("are known as far as their images are", () => {
    const dockerfile = parseDockerfile("FROM base", "Dockerfile");
    const images = new Map<string, PlannedImage>();
    const learn = (name: string, OnBuild: string[]) =>
      images.set(imageKey({ image: name, platform: amd64 }), {
        config: { ...amd64, config: { OnBuild }, rootfs: { type: "layers", diff_ids: [] } },
        layers: [],
      });
    const wanted = () => outlineBuild(dockerfile, plainOptions, images).images.map(({ image }) => image);
    expect(wanted()).toEqual(["base"]);
    learn("base", ["COPY --from=more a /"]);
    expect(wanted()).toEqual(["base", "more"]);
    learn("more", ["RUN never"]);
    expect(wanted()).toEqual(["base", "more"]);
  });

  it("have the escape character that is the default, whatever the file says", () => {
    expect(steps("# escape=`\nFROM base", on("RUN a \\\n b"))).toEqual(["ONBUILD RUN a  b"]);
  });
});

describe("a trigger is refused where FROM fires it:", () => {
  it.each<[name: string, trigger: string, code: string, problem: string]>([
    ["no instruction", "# nothing", "INVALID_ONBUILD", 'a trigger is one instruction, and "# nothing" has 0'],
    ["two instructions", "RUN a\nRUN b", "INVALID_ONBUILD", 'a trigger is one instruction, and "RUN a\\nRUN b" has 2'],
    ["an instruction that is none", "RNU a", "UNKNOWN_INSTRUCTION", 'unknown instruction "RNU"'],
    ["ONBUILD", "ONBUILD RUN a", "INVALID_ONBUILD", "a trigger cannot be ONBUILD"],
    ["FROM", "FROM a", "INVALID_ONBUILD", "a trigger cannot be FROM"],
    ["a flag that is none", "COPY --form=a b c", "UNKNOWN_FLAG", 'COPY has no flag "--form"'],
    ["a heredoc without its end", "RUN <<E\na", "UNTERMINATED_HEREDOC", 'heredoc "E" has no end: no line below is exactly that word'],
    ["what is wrong only when it runs", "STOPSIGNAL $X", "INVALID_SIGNAL", 'reading the signal "": there is no such signal'],
    ["a later stage", "COPY --from=late a /", "INVALID_STAGE", 'stage "late" must be defined before this one'],
    [
      "a variable that is not global",
      "COPY --from=$X a /",
      "VARIABLE_IN_FROM",
      "only variables from before the first FROM are known here, and X is none",
    ],
  ])("%s", (_name, trigger, code, problem) => {
    const error = planError("FROM i\nFROM base AS x\nFROM i AS late", { ...on(trigger), targets: ["x"] });
    expect(error).toMatchObject({ code, line: 2 });
    expect(error.message).toContain(problem);
    if (code === "INVALID_STAGE") expect(error.message.startsWith("reading ONBUILD COPY --from=late: ")).toBe(true);
    else expect(error.message.startsWith(`running the trigger ${JSON.stringify(trigger)} of the base image "base": `)).toBe(true);
  });

  it("with the stage that carries it", () => {
    expect(planError("FROM i AS p\nONBUILD WORKDIR ${X:?is needed}\nFROM p")).toMatchObject({
      message: 'running the trigger "WORKDIR ${X:?is needed}" of the stage "p": X: is needed',
      line: 3,
    });
  });

  it("by hostile images without flooding the terminal", () => {
    expect(planError("FROM base", on(`RNU ${"x".repeat(100_000)}`)).message.length).toBeLessThan(300);
  });
});
