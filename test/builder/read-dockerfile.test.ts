import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { openDirectory } from "../../builder/context/directory-source.ts";
import type { OpenContext } from "../../builder/context/open-context.ts";
import { type GivenDockerfile, readDockerfile } from "../../builder/read-dockerfile.ts";
import { contextDirectory } from "../support/context.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const unused = { store: () => Promise.reject(new Error("no store is needed")), now: () => 0 };

async function inDirectory(directory: string, given: GivenDockerfile) {
  return readDockerfile((await openDirectory(directory, { describe: `the build context ${directory}`, ...unused })).context, given);
}

/** A context that is no directory of the host. */
function elsewhere(files: Readonly<Record<string, string>>): OpenContext {
  return { describe: "the build context https://host/x.tar", place: (path) => `URL/${path}`, readText: async (path) => files[path] };
}

describe("the Dockerfile", () => {
  it.each<[name: string, files: Record<string, string>, expected: { file: string; text: string }]>([
    ["Dockerfile first", { Dockerfile: "1", dockerfile: "2", Containerfile: "3" }, { file: "Dockerfile", text: "1" }],
    ["then dockerfile", { dockerfile: "2", Containerfile: "3" }, { file: "dockerfile", text: "2" }],
    ["then Containerfile", { Containerfile: "3" }, { file: "Containerfile", text: "3" }],
  ])("has a default name: %s", async (_name, files, expected) => {
    const { file, text } = expected;
    const context = contextDirectory(files);
    expect(await inDirectory(context, undefined)).toEqual({ file: join(context, file), text });
    expect(await readDockerfile(elsewhere(files), undefined)).toEqual({ file: `URL/${file}`, text });
  });

  it("is where it can be opened from the current directory", async () => {
    const directory = contextDirectory({ "services/api/Dockerfile": "text" });
    const written = relative(".", directory);
    expect(await inDirectory(`./${written}/services/../services/api/`, undefined)).toEqual({
      file: `${written}/services/api/Dockerfile`,
      text: "text",
    });
    const { context } = await openDirectory(".", { describe: "the build context .", ...unused });
    expect(context.place("Dockerfile")).toBe("Dockerfile");
  });

  it("may be anywhere, and is called as it was named", async () => {
    const context = contextDirectory({ Dockerfile: "no" });
    const path = join(contextDirectory({ "sub/Other": "yes" }), "sub/Other");
    expect(await inDirectory(context, { path })).toEqual({ file: path, text: "yes" });
  });

  it.each(["sub/Other", "./sub/Other", "sub/../sub/Other", "../sub/Other"])(
    "is named within a context that is no directory of the host: %s",
    async (path) => {
      expect(await readDockerfile(elsewhere({ "sub/Other": "yes" }), { path })).toEqual({ file: "URL/sub/Other", text: "yes" });
    },
  );

  it("is dockerfile too where it is called Dockerfile", async () => {
    const directory = contextDirectory({ "sub/dockerfile": "lower", "sub/dockerfile.dockerignore": "a" });
    const file = join(directory, "sub/dockerfile");
    expect(await inDirectory(directory, { path: join(directory, "sub/Dockerfile") })).toEqual({
      file,
      text: "lower",
      ignore: { file: `${file}.dockerignore`, text: "a" },
    });
    expect(await readDockerfile(elsewhere({ "sub/dockerfile": "lower" }), { path: "sub/Dockerfile" })).toEqual({
      file: "URL/sub/dockerfile",
      text: "lower",
    });
  });

  it("is the host's where its path is absolute, whatever the context is", async () => {
    const path = join(contextDirectory({ Other: "yes", "Other.dockerignore": "a" }), "Other");
    expect(await readDockerfile(elsewhere({ Dockerfile: "no" }), { path })).toEqual({ file: path, text: "yes" });
  });

  it("may be a symlink", async () => {
    const context = contextDirectory({ real: "text" });
    symlinkSync("real", join(context, "Dockerfile"));
    expect(await inDirectory(context, undefined)).toEqual({ file: join(context, "Dockerfile"), text: "text" });
  });

  it("may be a symlink out of the context only where the user named it", async () => {
    const outside = join(contextDirectory({ secret: "text" }), "secret");
    const context = contextDirectory({});
    const path = join(context, "Dockerfile");
    symlinkSync(outside, path);
    await expect(inDirectory(context, undefined)).rejects.toMatchObject({
      code: "DOCKERFILE_UNREADABLE",
      message: `reading ${path}: it leads to ${outside}, outside of ${context}`,
    });
    expect(await inDirectory(context, { path })).toEqual({ file: path, text: "text" });
  });

  it("is not waited for when it is a FIFO, which nobody may ever write to", async () => {
    const path = join(temporaryDirectory("pipe"), "pipe");
    execFileSync("mkfifo", [path]);
    await expect(inDirectory(contextDirectory({}), { path })).rejects.toMatchObject({
      code: "DOCKERFILE_UNREADABLE",
      message: `reading ${path}: it is a FIFO`,
    });
  });

  it("may be what a shell hands over", async () => {
    const path = join(temporaryDirectory("shell"), "text");
    writeFileSync(path, "FROM scratch");
    const handle = await open(path, "r");
    try {
      const given = `/dev/fd/${handle.fd}`;
      expect(await inDirectory(contextDirectory({}), { path: given })).toEqual({ file: given, text: "FROM scratch" });
    } finally {
      await handle.close();
    }
  });

  it("may be text", async () => {
    expect(await inDirectory(contextDirectory({ Dockerfile: "no" }), { text: "given" })).toEqual({ file: "Dockerfile", text: "given" });
    expect(await readDockerfile(elsewhere({ Dockerfile: "no" }), { text: "given" })).toEqual({ file: "Dockerfile", text: "given" });
  });

  it("may be the context itself, and then is the only one", async () => {
    const context = { ...elsewhere({}), place: () => "URL", dockerfile: "FROM scratch" };
    expect(await readDockerfile(context, undefined)).toEqual({ file: "URL", text: "FROM scratch" });
    for (const given of [{ path: "Other" }, { text: "FROM other" }]) {
      await expect(readDockerfile(context, given)).rejects.toMatchObject({
        code: "AMBIGUOUS_DOCKERFILE",
        message: "looking for the Dockerfile: the build context https://host/x.tar is one, and another is named",
        hint: "leave -f out, or give a context that has files",
      });
    }
  });

  it("is an error where there is none", async () => {
    const context = temporaryDirectory("context");
    await expect(inDirectory(context, undefined)).rejects.toMatchObject({
      code: "DOCKERFILE_NOT_FOUND",
      message: `looking for the Dockerfile: no Dockerfile, dockerfile, Containerfile in the build context ${context}`,
      hint: "name it with -f, or give the directory that has it",
    });
    await expect(inDirectory(context, { path: join(context, "nope") })).rejects.toMatchObject({
      code: "DOCKERFILE_NOT_FOUND",
      message: `looking for the Dockerfile: there is no ${context}/nope`,
      hint: "-f is relative to the current directory, not to the context",
    });
    writeFileSync(join(context, "other"), "FROM scratch");
    await expect(inDirectory(context, { path: "./other" })).rejects.toMatchObject({
      message: "looking for the Dockerfile: there is no ./other",
      hint: `-f is relative to the current directory, not to the context: write -f ${context}/other`,
    });
    await expect(inDirectory(context, { path: "../nope" })).rejects.toMatchObject({
      hint: "-f is relative to the current directory, not to the context",
    });
    await expect(readDockerfile(elsewhere({}), { path: "nope" })).rejects.toMatchObject({
      code: "DOCKERFILE_NOT_FOUND",
      message: "looking for the Dockerfile: there is no nope in the build context https://host/x.tar",
      hint: "-f is relative to the context where that is no local directory",
    });
  });

  it("is an error where it is a directory", async () => {
    const context = temporaryDirectory("context");
    mkdirSync(join(context, "Dockerfile"));
    for (const given of [undefined, { path: join(context, "Dockerfile") }]) {
      await expect(inDirectory(context, given)).rejects.toMatchObject({
        code: "DOCKERFILE_UNREADABLE",
        message: `reading ${context}/Dockerfile: it is a directory`,
      });
    }
  });

  it("is an error where it is too large to be one", async () => {
    const context = contextDirectory({ Dockerfile: "#".repeat(16 * 1024 * 1024 + 1) });
    for (const given of [undefined, { path: join(context, "Dockerfile") }]) {
      await expect(inDirectory(context, given)).rejects.toMatchObject({
        code: "DOCKERFILE_TOO_LARGE",
        message: `reading ${context}/Dockerfile: it is larger than 16777216 bytes`,
      });
    }
  });

  it.each<[what: string, text: string, line: number | undefined]>([
    ["nowhere", "FROM scratch\n# gr\u00fc\u00df dich\n", undefined],
    ["in an instruction", "FROM scratch\nLABEL a=\xfc\n", 2],
    ["in the last line", "FROM scratch\nLABEL a=\xfc", 2],
    ["in a comment, which means nothing", "# \xfc\nFROM scratch\n  # \xfc\n", undefined],
    ["in what may be a heredoc's data", "FROM scratch\nRUN <<E\n# \xfc\nE\n", 3],
  ])("may have other bytes than UTF-8's %s", async (what, text, line) => {
    const context = temporaryDirectory("context");
    writeFileSync(join(context, "Dockerfile"), Buffer.from(text, what === "nowhere" ? "utf8" : "latin1"));
    const read = inDirectory(context, undefined);
    if (line === undefined) expect((await read).text).toBe(text.replaceAll("\xfc", what === "nowhere" ? "\xfc" : "\ufffd"));
    else {
      await expect(read).rejects.toMatchObject({
        code: "DOCKERFILE_UNREADABLE",
        message: `reading ${context}/Dockerfile: line ${line} is not UTF-8`,
        hint: "save it as UTF-8",
      });
    }
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
      { file: "x/Other.dockerignore", text: "c" },
    ],
    [
      "the context's for a Dockerfile elsewhere",
      { "x/Other": "", "x/.dockerignore": "no", ".dockerignore": "a" },
      "x/Other",
      { file: ".dockerignore", text: "a" },
    ],
    [
      "buildah's where there is none of docker's",
      { Dockerfile: "", ".containerignore": "a" },
      undefined,
      { file: ".containerignore", text: "a" },
    ],
    [
      "docker's where there are both",
      { Dockerfile: "", ".containerignore": "a", ".dockerignore": "b", "x/.containerignore": "c" },
      undefined,
      { file: ".dockerignore", text: "b" },
    ],
    [
      "the Dockerfile's own of buildah",
      { "x/Other": "", "x/Other.containerignore": "c", ".dockerignore": "a" },
      "x/Other",
      { file: "x/Other.containerignore", text: "c" },
    ],
    ["none", { Dockerfile: "" }, undefined, undefined],
  ])("is %s", async (_name, files, given, expected) => {
    const context = contextDirectory(files);
    const { ignore } = await inDirectory(context, given === undefined ? undefined : { path: join(context, given) });
    expect(ignore).toEqual(expected && { ...expected, file: join(context, expected.file) });
  });

  it("is the context's for a Dockerfile given as text", async () => {
    const context = contextDirectory({ ".dockerignore": "a" });
    const { ignore } = await inDirectory(context, { text: "" });
    expect(ignore).toEqual({ file: join(context, ".dockerignore"), text: "a" });
  });

  it("does not count in a context that is no directory of the host", async () => {
    const files = { Dockerfile: "", ".dockerignore": "a", "Dockerfile.dockerignore": "b" };
    for (const given of [undefined, { path: "Dockerfile" }, { text: "" }]) {
      expect((await readDockerfile(elsewhere(files), given)).ignore).toBeUndefined();
    }
  });

  it("is an error where it cannot be read", async () => {
    const context = contextDirectory({ Dockerfile: "" });
    mkdirSync(join(context, ".dockerignore"));
    await expect(inDirectory(context, undefined)).rejects.toMatchObject({
      code: "IGNORE_FILE_UNREADABLE",
      message: `reading ${context}/.dockerignore: it is a directory`,
    });
  });

  it("is an error where it leads out of the context", async () => {
    const context = contextDirectory({ Dockerfile: "" });
    symlinkSync("/etc/passwd", join(context, ".dockerignore"));
    await expect(inDirectory(context, undefined)).rejects.toMatchObject({ code: "IGNORE_FILE_UNREADABLE" });
  });
});
