import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type InputWords, readInputs } from "../../../builder/cli/build-inputs.ts";
import { UsageError } from "../../../builder/cli/usage-error.ts";
import { contextDirectory } from "../../support/context.ts";
import { fakeIo } from "./fake-io.ts";

const directory = contextDirectory({ Dockerfile: "FROM scratch\n" });

function read(words: Partial<InputWords>, stdin = "") {
  return readInputs({ context: directory, file: undefined, contexts: [], argv: [], ...words }, fakeIo({ stdin }));
}

describe("what a build reads", () => {
  it.each<[what: string, words: Partial<InputWords>, expected: object]>([
    ["a directory", {}, { context: { kind: "directory", path: directory }, contexts: {} }],
    [
      "a directory and a Dockerfile",
      { file: "x/Dockerfile" },
      { context: { kind: "directory", path: directory }, contexts: {}, dockerfile: { path: "x/Dockerfile" } },
    ],
    [
      "a directory and standard input",
      { file: "-" },
      { context: { kind: "directory", path: directory }, contexts: {}, dockerfile: { text: "FROM a\n", file: "<stdin>" } },
    ],
    [
      "a repository",
      { context: "https://host/x.git#main:sub" },
      { context: { kind: "git", url: "https://host/x.git#main:sub" }, contexts: {} },
    ],
    ["a repository by ssh", { context: "git@host:x/y.git" }, { context: { kind: "git", url: "git@host:x/y.git" }, contexts: {} }],
    ["a repository in the old form", { context: "github.com/x/y" }, { context: { kind: "git", url: "github.com/x/y" }, contexts: {} }],
    ["a file of the web", { context: "https://host/x.tar.gz" }, { context: { kind: "http", url: "https://host/x.tar.gz" }, contexts: {} }],
    [
      "a repository and a Dockerfile in it",
      { context: "https://host/x.git", file: "sub/Dockerfile" },
      { context: { kind: "git", url: "https://host/x.git" }, contexts: {}, dockerfile: { path: "sub/Dockerfile" } },
    ],
    [
      "a repository and a Dockerfile from standard input",
      { context: "https://host/x.git", file: "-" },
      { context: { kind: "git", url: "https://host/x.git" }, contexts: {}, dockerfile: { text: "FROM a\n", file: "<stdin>" } },
    ],
    [
      "named contexts",
      { contexts: [`src=${directory}`, "base=docker-image://debian"] },
      {
        context: { kind: "directory", path: directory },
        contexts: { src: { kind: "directory", path: directory }, base: { kind: "image", image: "debian" } },
      },
    ],
  ])("is %s", async (_what, words, expected) => {
    expect(await read(words, "FROM a\n")).toEqual(expected);
  });

  it("is standard input, whatever that is, without being read yet", async () => {
    const io = fakeIo({ stdin: "FROM scratch" });
    const words = { context: "-", file: undefined, contexts: [], argv: [] };
    expect(await readInputs(words, io)).toEqual({ context: { kind: "tar", bytes: io.stdin }, contexts: {} });
    expect(await readInputs({ ...words, file: "Other" }, io)).toMatchObject({ context: { kind: "tar" }, dockerfile: { path: "Other" } });
  });

  it("is a directory whose name could be a repository", async () => {
    const path = join(contextDirectory({}), "host:x");
    mkdirSync(path);
    expect(await read({ context: path })).toMatchObject({ context: { kind: "directory", path } });
  });
});

describe("the command line is wrong", () => {
  const file = join(contextDirectory({ "x.tar": "" }), "x.tar");

  it.each<[what: string, words: Partial<InputWords>, stdin: string, code: string, message: string, hint?: string]>([
    [
      "two things from standard input",
      { context: "-", file: "-" },
      "",
      "WRONG_OPERANDS",
      "reading the command line: the context and the Dockerfile cannot both be standard input",
      "with the context - alone, standard input may be either",
    ],
    [
      "a context that is not there",
      { context: "./nowhere", argv: ["./nowhere"] },
      "",
      "CONTEXT_NOT_FOUND",
      "opening the build context ./nowhere: there is no such directory",
    ],
    [
      "a command behind flags",
      { context: "run", argv: ["--network", "none", "run"] },
      "",
      "CONTEXT_NOT_FOUND",
      "opening the build context run: there is no such directory",
      "write tsbuild run --network none",
    ],
    [
      "a misspelt command",
      { context: "puhs", argv: ["puhs"] },
      "",
      "CONTEXT_NOT_FOUND",
      "opening the build context puhs: there is no such directory",
      "did you mean the command push?",
    ],
    [
      "a file",
      { context: file },
      "",
      "CONTEXT_NOT_DIRECTORY",
      `opening the build context ${file}: it is not a directory`,
      "a tar or a Dockerfile alone is read from standard input: write - < FILE",
    ],
    [
      "a URL of another kind, of which secrets are not shown",
      { context: "ftp://me:secret@host/x?token=1" },
      "",
      "UNSUPPORTED_CONTEXT",
      "reading the context ftp://host/x: nothing is known that such a URL could mean",
    ],
    [
      "a password in a URL",
      { context: "https://me:secret@host/x.git" },
      "",
      "INVALID_SOURCE",
      "reading the source https://host/x.git: it has a password in it",
    ],
    [
      "a Dockerfile that cannot be one",
      { file: "-" },
      "#".repeat(16 * 1024 * 1024 + 1),
      "DOCKERFILE_TOO_LARGE",
      "reading the Dockerfile from standard input: it is larger than 16777216 bytes",
    ],
  ])("%s", async (_what, words, stdin, code, message, hint) => {
    const failed = read(words, stdin);
    await expect(failed).rejects.toBeInstanceOf(UsageError);
    await expect(failed).rejects.toMatchObject({ code, message, ...(hint === undefined ? {} : { hint }) });
  });

  it("gives a Dockerfile from standard input that is not UTF-8", async () => {
    const io = fakeIo({ stdin: Buffer.from("FROM \xe9", "latin1") });
    await expect(readInputs({ context: directory, file: "-", contexts: [], argv: [] }, io)).rejects.toMatchObject({
      code: "DOCKERFILE_UNREADABLE",
      message: "reading the Dockerfile from standard input: line 1 is not UTF-8",
    });
  });
});
