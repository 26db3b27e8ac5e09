import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DockerfileErrors, formatDockerfileError } from "../../../builder/dockerfile/errors.ts";
import { parseDockerfile } from "../../../builder/dockerfile/parse.ts";

// One case: "=== name", the Dockerfile, and behind a line of dashes what is printed.
const file = new URL("../../../fixtures/dockerfile/invalid.txt", import.meta.url);
const separator = "----";
const cases = readFileSync(file, "utf8")
  .split(/^=== /m)
  .slice(1)
  .map((block) => {
    const [name = "", ...lines] = block.split("\n");
    const at = lines.indexOf(separator);
    const end = at < 0 ? lines.length - 1 : at;
    return {
      name,
      dockerfile: lines
        .slice(0, end)
        .map((line) => `${line}\n`)
        .join(""),
      printed: lines
        .slice(end + 1)
        .join("\n")
        .trimEnd(),
    };
  });

describe("what is printed for an invalid Dockerfile", () => {
  if (process.env.TSBUILD_UPDATE_GOLDEN === "1") {
    it("is written anew", () => {
      const blocks = cases.map(({ name, dockerfile }) => `=== ${name}\n${dockerfile}${separator}\n${printed(dockerfile)}\n`);
      writeFileSync(file, blocks.join(""));
    });
    return;
  }

  it("has many cases", () => {
    expect(cases.length).toBeGreaterThan(60);
  });

  it.each(cases)("$name", ({ dockerfile, printed: expected }) => {
    expect(printed(dockerfile)).toBe(expected);
  });
});

function printed(dockerfile: string): string {
  try {
    parseDockerfile(dockerfile, "Dockerfile");
  } catch (error) {
    if (error instanceof DockerfileErrors) return formatDockerfileError(error);
    throw error;
  }
  throw new Error(`no error in ${JSON.stringify(dockerfile)}`);
}
