import { describe, expect, it } from "vitest";
import { DockerfileError } from "../../../builder/dockerfile/errors.ts";
import { parseDockerfile } from "../../../builder/dockerfile/parse.ts";

function errorOf(text: string, syntax?: string): DockerfileError | undefined {
  try {
    parseDockerfile(text, "Dockerfile", syntax);
  } catch (error) {
    if (error instanceof DockerfileError) return error;
    throw error;
  }
  return undefined;
}

describe("a Dockerfile of docker/dockerfile", () => {
  it.each([
    "# syntax=docker/dockerfile:1\nFROM a",
    "# syntax=docker/dockerfile\nFROM a",
    "#syntax = docker.io/docker/dockerfile:1.7-labs\nFROM a",
    `# syntax=docker/dockerfile:1@sha256:${"a".repeat(64)}\nFROM a`,
    "# syntax=docker/dockerfile-upstream:master-labs\nFROM a",
    "# syntax=index.docker.io/docker/dockerfile:experimental\nFROM a",
    "# syntax=docker/dockerfile:1 --option\nFROM a",
    "#!/usr/bin/env x\n# syntax=docker/dockerfile:1\nFROM a",
    "\ufeff# syntax=docker/dockerfile:1\nFROM a",
    "# a comment\n# syntax=other/frontend\nFROM a",
    "FROM a\n# syntax=other/frontend",
  ])("is read: %j", (text) => {
    expect(errorOf(text)).toBeUndefined();
  });

  it("may be asked for over what the file says", () => {
    expect(errorOf("# syntax=other/frontend\nFROM a", "docker/dockerfile:1")).toBeUndefined();
    expect(errorOf("FROM a", "")).toBeUndefined();
  });
});

describe("a file of another frontend is refused, and nothing else is said of it:", () => {
  it.each<[what: string, text: string, name: string, line: number]>([
    ["by a directive", "# syntax=devthefuture/dockerfile-x:1\nINCLUDE x", "devthefuture/dockerfile-x:1", 1],
    ["in another registry", "# syntax=ghcr.io/docker/dockerfile:1\nFROM a", "ghcr.io/docker/dockerfile:1", 1],
    ["behind other directives", "# escape=`\n# syntax=x\nFROM a", "x", 2],
    ["behind a shebang", "#!/usr/bin/x\n# syntax=x\nFROM a", "x", 2],
    ["that is no name at all", "# syntax=http://x\nFROM a", "http://x", 1],
    ["by a comment of another language", "// check=x\n// syntax=x y\nfunction", "x", 2],
    ["by JSON", '{ "syntax": "x" }', "x", 1],
    ["by JSON behind a shebang", '#!/usr/bin/x\n{\n"syntax": "x" }', "x", 1],
  ])("%s", (_what, text, name, line) => {
    const error = errorOf(text);
    expect(error).toMatchObject({
      code: "UNSUPPORTED_FRONTEND",
      message: `the file is for the frontend "${name}", and no frontend but docker/dockerfile can be had`,
      hint: "if it is an ordinary Dockerfile, name docker/dockerfile:1, or no syntax at all",
    });
    expect(error?.range.start.line).toBe(line);
  });

  it("by --build-arg", () => {
    expect(errorOf("# syntax=docker/dockerfile:1\nFROM a", " x:1 y")?.message).toContain('the frontend "x:1"');
  });

  it("in no more time than its length", () => {
    const text = `${"// check=a\n".repeat(100_000)}// syntax=x`;
    expect(errorOf(text)?.code).toBe("UNSUPPORTED_FRONTEND");
  });
});
