import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readDockerfile } from "../../builder/read-dockerfile.ts";
import { contextDirectory } from "../support/context.ts";
import { temporaryDirectory } from "../support/temporary.ts";

describe("the Dockerfile", () => {
  it.each<[name: string, files: Record<string, string>, expected: { file: string; text: string }]>([
    ["Dockerfile first", { Dockerfile: "1", dockerfile: "2", Containerfile: "3" }, { file: "Dockerfile", text: "1" }],
    ["then dockerfile", { dockerfile: "2", Containerfile: "3" }, { file: "dockerfile", text: "2" }],
    ["then Containerfile", { Containerfile: "3" }, { file: "Containerfile", text: "3" }],
  ])("has a default name: %s", async (_name, files, expected) => {
    expect(await readDockerfile(contextDirectory(files), undefined)).toEqual(expected);
  });

  it("may be anywhere, and is called as it was named", async () => {
    const context = contextDirectory({ Dockerfile: "no" });
    const path = join(contextDirectory({ "sub/Other": "yes" }), "sub/Other");
    expect(await readDockerfile(context, { path })).toEqual({ file: path, text: "yes" });
  });

  it("may be a symlink", async () => {
    const context = contextDirectory({ real: "text" });
    symlinkSync("real", join(context, "Dockerfile"));
    expect(await readDockerfile(context, undefined)).toEqual({ file: "Dockerfile", text: "text" });
  });

  it("may be text", async () => {
    expect(await readDockerfile(contextDirectory({ Dockerfile: "no" }), { text: "given" })).toEqual({ file: "Dockerfile", text: "given" });
  });

  it("is an error where there is none", async () => {
    const context = temporaryDirectory("context");
    await expect(readDockerfile(context, undefined)).rejects.toMatchObject({
      code: "DOCKERFILE_NOT_FOUND",
      message: `looking for the Dockerfile: ${context}/Dockerfile, ${context}/dockerfile, ${context}/Containerfile not found`,
      hint: "name it with -f, or give the directory that has it",
    });
    await expect(readDockerfile(context, { path: join(context, "nope") })).rejects.toMatchObject({
      code: "DOCKERFILE_NOT_FOUND",
      message: `looking for the Dockerfile: ${context}/nope not found`,
      hint: "-f is relative to the current directory, not to the context",
    });
  });

  it("is an error where it is a directory", async () => {
    const context = temporaryDirectory("context");
    mkdirSync(join(context, "Dockerfile"));
    await expect(readDockerfile(context, undefined)).rejects.toMatchObject({
      code: "DOCKERFILE_UNREADABLE",
      message: `reading ${context}/Dockerfile: it is a directory`,
    });
  });
});

describe("the ignore file", () => {
  it.each<[name: string, files: Record<string, string>, given: string | undefined, expected: { file: string; text: string } | undefined]>([
    ["the context's", { Dockerfile: "", ".dockerignore": "a" }, undefined, { file: ".dockerignore", text: "a" }],
    [
      "the Dockerfile's own, and not the context's",
      { Dockerfile: "", ".dockerignore": "a", "Dockerfile.dockerignore": "b" },
      undefined,
      { file: "Dockerfile.dockerignore", text: "b" },
    ],
    [
      "the own one though it is empty",
      { Dockerfile: "", ".dockerignore": "a", "Dockerfile.dockerignore": "" },
      undefined,
      { file: "Dockerfile.dockerignore", text: "" },
    ],
    [
      "the own one of a Dockerfile elsewhere",
      { "x/Other": "", "x/Other.dockerignore": "c", ".dockerignore": "a" },
      "x/Other",
      { file: "Other.dockerignore", text: "c" },
    ],
    [
      "the context's for a Dockerfile elsewhere",
      { "x/Other": "", "x/.dockerignore": "no", ".dockerignore": "a" },
      "x/Other",
      { file: ".dockerignore", text: "a" },
    ],
    ["none", { Dockerfile: "" }, undefined, undefined],
  ])("is %s", async (_name, files, given, expected) => {
    const context = contextDirectory(files);
    expect((await readDockerfile(context, given === undefined ? undefined : { path: join(context, given) })).ignore).toEqual(expected);
  });

  it("is the context's for a Dockerfile given as text", async () => {
    const { ignore } = await readDockerfile(contextDirectory({ ".dockerignore": "a" }), { text: "" });
    expect(ignore).toEqual({ file: ".dockerignore", text: "a" });
  });

  it("is an error where it cannot be read", async () => {
    const context = contextDirectory({ Dockerfile: "" });
    mkdirSync(join(context, ".dockerignore"));
    await expect(readDockerfile(context, undefined)).rejects.toMatchObject({
      code: "DOCKERFILE_UNREADABLE",
      message: `reading ${context}/.dockerignore: it is a directory`,
    });
  });
});
