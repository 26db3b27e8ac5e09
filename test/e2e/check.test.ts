import { describe, expect, it } from "vitest";
import { temporaryStore, tsbuild } from "../support/cli.ts";
import { contextDirectory } from "../support/context.ts";

const store = temporaryStore();

/** A file with something for several rules, and a stage that no target needs. */
const untidy = `# the untidy one
FROM scratch AS Base
copy $missing /a

# app is what runs
FROM scratch as app
# VERSION is what is built
ARG VERSION=1
RUN --mount=type=secret,id=token true
CMD run $VERSION
`;

function run(...args: readonly string[]) {
  return tsbuild(["build", ...args], { store });
}

describe("tsbuild --check", () => {
  it("prints what it found in all stages, and fails", async () => {
    const context = contextDirectory({ Dockerfile: untidy });
    const { code, stdout, stderr } = await run("--check", context);
    expect([code, stderr]).toEqual([1, ""]);
    expect(stdout.replaceAll(`${context}/`, "").match(/^Dockerfile:\d+:1: warning: .*$/gm)).toEqual([
      "Dockerfile:2:1: warning: Stage name 'Base' should be lowercase [StageNameCasing]",
      "Dockerfile:3:1: warning: Command 'copy' should match the case of the command majority (uppercase) [ConsistentInstructionCasing]",
      "Dockerfile:3:1: warning: Usage of undefined variable '$missing' [UndefinedVar]",
      "Dockerfile:6:1: warning: 'as' and 'FROM' keywords' casing do not match [FromAsCasing]",
      "Dockerfile:10:1: warning: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals [JSONArgsRecommended]",
    ]);
    expect(stdout).toContain("\nCheck complete, 5 warnings have been found!\n");
  });

  it("succeeds where there is nothing to say, and builds nothing", async () => {
    const context = contextDirectory({ Dockerfile: 'FROM scratch\nRUN ["/none"]\n' });
    expect(await run("--check", "-t", "never", context)).toMatchObject({
      code: 0,
      stdout: "Check complete, no warnings found.\n",
      stderr: "",
    });
    expect((await tsbuild(["inspect", "never"], { store })).code).not.toBe(0);
  });

  it("takes the directive, and the build argument over it", async () => {
    const context = contextDirectory({ Dockerfile: `# check=skip=all\n${untidy}` });
    expect((await run("--check", context)).code).toBe(0);
    const { code, stdout } = await run("--check", "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=skip=UndefinedVar;error=true", context);
    expect([code, stdout.includes("Dockerfile:7:1: error: "), stdout.includes("UndefinedVar")]).toEqual([1, true, false]);
  });

  it("is JSON on request, as docker buildx asks for it too", async () => {
    const context = contextDirectory({ Dockerfile: untidy });
    const [own, theirs] = await Promise.all([run("--check", "--format", "json", context), run("--call=check,format=json", context)]);
    expect([own.code, theirs.stdout]).toEqual([1, own.stdout]);
    const { warnings, stages } = JSON.parse(own.stdout);
    expect(warnings).toHaveLength(5);
    expect(stages).toEqual([
      { name: "base", base: "scratch", instructions: ["COPY"] },
      { name: "app", base: "scratch", instructions: ["ARG", "RUN", "CMD"] },
    ]);
  });

  it("shows what cannot be read beside its place", async () => {
    const { code, stdout } = await run("--check", contextDirectory({ Dockerfile: "FROM scratch\nCPY a b\n" }));
    expect(code).toBe(1);
    expect(stdout).toContain("Dockerfile:2:1: error: unknown instruction");
    expect(stdout).toContain("Check complete, 1 error: it cannot be built; no warnings found.\n");
  });

  it("explains rules without a context", async () => {
    const one = await run("--check", "--explain", "UndefinedVar");
    expect([one.code, one.stderr, one.stdout.startsWith("UndefinedVar\n")]).toEqual([0, "", true]);
    expect((await run("--check", "--explain")).stdout.match(/^Bad:$/gm)).toHaveLength(22);
    expect(await run("--check", "--explain", "UndefinedVra")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("did you mean UndefinedVar?"),
    });
  });
});

describe("tsbuild", () => {
  it("warns of what its stages have while it builds", async () => {
    const context = contextDirectory({ Dockerfile: "FROM scratch AS other\nCOPY $x /\nFROM scratch\nLABEL a=$y\n" });
    const { code, stderr } = await run("--progress", "plain", context);
    expect(code).toBe(0);
    expect(stderr).toContain("warning: line 4: UndefinedVar: Usage of undefined variable '$y'\n");
    expect(stderr).not.toContain("$x");
  });

  it("fails where the file wants findings to be errors", async () => {
    const context = contextDirectory({ Dockerfile: "# check=error=true\nFROM scratch\nLABEL a=$y\n" });
    const { code, stderr } = await run("-t", "strict", context);
    expect(code).toBe(1);
    expect(stderr).toContain("Dockerfile:3:1: error: UndefinedVar: Usage of undefined variable '$y' [CHECK_FAILED]\n");
  });
});

describe("tsbuild --call", () => {
  it("outline prints what the target takes", async () => {
    const { code, stdout } = await run("--call=outline", contextDirectory({ Dockerfile: untidy }));
    expect(code).toBe(0);
    expect(stdout).toBe(`TARGET:       app
DESCRIPTION:  is what runs

BUILD ARG  VALUE  DESCRIPTION
VERSION    1      is what is built

SECRET  REQUIRED
token
`);
  });

  it("targets prints the stages", async () => {
    const context = contextDirectory({ Dockerfile: untidy });
    const table = await run("--call", "targets", context);
    expect([table.code, table.stdout]).toEqual([0, "TARGET         DESCRIPTION\nbase\napp (default)  is what runs\n"]);
    const { targets } = JSON.parse((await run("--call=targets,format=json", context)).stdout);
    expect(targets.map(({ name }: { name: string }) => name)).toEqual(["base", "app"]);
  });

  it("build builds", async () => {
    expect((await run("--call=build", "-q", contextDirectory({ Dockerfile: "FROM scratch\nLABEL a=b\n" }))).code).toBe(0);
  });
});
