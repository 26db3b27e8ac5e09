import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readBuildContexts } from "../../../builder/cli/context-flag.ts";
import { UsageError } from "../../../builder/cli/usage-error.ts";
import { digestOf } from "../../../store/digest.ts";
import { contextDirectory } from "../../support/context.ts";

const directory = contextDirectory({ "src/a": "", "src:1/a": "" });
const digest = digestOf("x");

describe("--build-context", () => {
  it.each<[value: string, source: object]>([
    [`${directory}/src`, { kind: "directory", path: `${directory}/src` }],
    [`${directory}/src:1`, { kind: "directory", path: `${directory}/src:1` }],
    ["https://host/x.tar?a=b", { kind: "http", url: "https://host/x.tar?a=b" }],
    ["http://host/x", { kind: "http", url: "http://host/x" }],
    ["https://host/x.git#main:sub", { kind: "git", url: "https://host/x.git#main:sub" }],
    ["https://host/x.git?ref=main", { kind: "git", url: "https://host/x.git?ref=main" }],
    ["git@host:x/y", { kind: "git", url: "git@host:x/y" }],
    ["ssh://git@host/x", { kind: "git", url: "ssh://git@host/x" }],
    ["git://host/x", { kind: "git", url: "git://host/x" }],
    ["github.com/x/y", { kind: "git", url: "github.com/x/y" }],
    ["docker-image://debian:13", { kind: "image", image: "debian:13" }],
    ["docker-image://scratch", { kind: "image", image: "scratch" }],
    [`docker-image://host:5000/x@${digest}`, { kind: "image", image: `host:5000/x@${digest}` }],
    [`oci-layout://${directory}/src`, { kind: "oci-layout", path: `${directory}/src` }],
    [`oci-layout://${directory}/src:v1`, { kind: "oci-layout", path: `${directory}/src`, name: "v1" }],
    [`oci-layout://${directory}/src@${digest}`, { kind: "oci-layout", path: `${directory}/src`, name: `@${digest}` }],
    [`oci-layout://${directory}/src:v1@${digest}`, { kind: "oci-layout", path: `${directory}/src`, name: `v1@${digest}` }],
    [`oci-layout://${directory}/src:1`, { kind: "oci-layout", path: `${directory}/src:1` }],
    ["target:build", { kind: "stage", stage: "build" }],
  ])("reads %s", async (value, source) => {
    expect(await readBuildContexts([`name=${value}`])).toEqual({ name: source });
  });

  it("reads several, of which names and values may hold =", async () => {
    const read = await readBuildContexts([
      `a=${directory}/src`,
      "docker.io/library/debian:13=docker-image://debian:12",
      "c=https://h/?x=y",
    ]);
    expect(Object.keys(read)).toEqual(["a", "docker.io/library/debian:13", "c"]);
    expect(read.c).toEqual({ kind: "http", url: "https://h/?x=y" });
  });

  const file = join(directory, "file");
  writeFileSync(file, "");

  it.each<[words: string[], code: string, message: string, hint?: string]>([
    [
      ["src"],
      "INVALID_VALUE",
      'reading --build-context: "src" is not NAME=VALUE',
      "write it as src=../src or debian=docker-image://debian:13",
    ],
    [
      ["=src"],
      "INVALID_VALUE",
      'reading --build-context: "=src" is not NAME=VALUE',
      "write it as src=../src or debian=docker-image://debian:13",
    ],
    [
      ["src="],
      "INVALID_VALUE",
      'reading --build-context: "src=" is not NAME=VALUE',
      "write it as src=../src or debian=docker-image://debian:13",
    ],
    [["Src=."], "INVALID_REFERENCE", '--build-context: reading the image name "Src": "Src" must be lower case', 'try "src"'],
    [
      ["scratch=."],
      "INVALID_VALUE",
      'reading --build-context: "scratch" has another meaning in a Dockerfile, and cannot be the name of a context',
    ],
    [["a=.", "a=."], "DUPLICATE_CONTEXT", 'reading --build-context: there are two contexts "a"'],
    [
      ["debian=.", "docker.io/library/debian:latest=."],
      "DUPLICATE_CONTEXT",
      'reading --build-context: there are two contexts "docker.io/library/debian:latest"',
    ],
    [[`a=${directory}/none`], "CONTEXT_NOT_FOUND", `opening the context "a" (${directory}/none): there is no such directory`],
    [[`a=${file}`], "CONTEXT_NOT_DIRECTORY", `opening the context "a" (${file}): it is not a directory`],
    [["a=oci-layout:///none:v1"], "CONTEXT_NOT_FOUND", "opening the image layout /none: there is no such directory"],
    [["a=oci-layout://"], "INVALID_VALUE", 'reading --build-context: "oci-layout://" names no directory'],
    [["a=docker-image://Debian"], "INVALID_REFERENCE", 'reading the image name "Debian": "Debian" must be lower case', 'try "debian"'],
    [
      ["a=docker-image:debian"],
      "INVALID_VALUE",
      'reading --build-context: "a=docker-image:debian" lacks "//" behind docker-image:',
      "write docker-image://debian",
    ],
    [["a=target:"], "INVALID_VALUE", 'reading --build-context: "a=target:" names no stage'],
    [
      ["a=docker-imag://debian"],
      "UNSUPPORTED_CONTEXT",
      "reading --build-context: docker-imag://debian: there are no contexts of the kind docker-imag://",
      "did you mean docker-image://?",
    ],
    [
      ["a=ftp://user:secret@host/x?token=1"],
      "UNSUPPORTED_CONTEXT",
      "reading --build-context: ftp://host/x: there are no contexts of the kind ftp://",
      expect.any(String) as unknown as string,
    ],
  ])("refuses %s", async (words, code, message, hint) => {
    const failed = readBuildContexts(words);
    await expect(failed).rejects.toBeInstanceOf(UsageError);
    await expect(failed).rejects.toMatchObject({ code, message, ...(hint === undefined ? {} : { hint }) });
  });
});
