import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseDockerfile } from "../../builder/dockerfile/parse.ts";
import { bytesOf, decodeScan, statMany } from "../../runtime-addon/index.ts";
import { quotePath } from "../../store/layer/entry-path.ts";
import { temporaryDirectory } from "../support/temporary.ts";

describe("a name longer than any can be", () => {
  it.each([
    ["300 characters", "x".repeat(300)],
    ["3,000,000 characters", "x".repeat(3_000_000)],
    ["3,000 directories", `${"a/".repeat(3000)}a`],
  ])("is not found: %s", async (_, name) => {
    const root = temporaryDirectory("words");
    writeFileSync(join(root, "there"), "");
    const found = decodeScan(await statMany(root, [bytesOf(name), bytesOf("there")], { xattrs: true }));
    expect(found.map(({ path }) => path)).toEqual(["there"]);
  });

  it("is cut in messages", () => {
    expect(quotePath("x".repeat(3_000_000))).toBe(`"${"x".repeat(510)}…"`);
  });
});

describe("a NUL", () => {
  it.each([
    ["a word", 'COPY "a\0b" /'],
    ["a flag", "RUN --mount=type=bind,source=a\0b true"],
    ["the JSON form", 'COPY ["a\\u0000b", "/"]'],
    ["a command", "RUN echo \0"],
  ])("in %s is an error of its place", (_, line) => {
    expect(() => parseDockerfile(`FROM scratch\n${line}\n`, "Dockerfile")).toThrow(
      expect.objectContaining({
        code: "DOCKERFILE_SYNTAX",
        cause: expect.objectContaining({
          code: "NUL_CHARACTER",
          range: expect.objectContaining({ start: expect.objectContaining({ line: 2 }) }),
        }),
      }),
    );
  });
});
