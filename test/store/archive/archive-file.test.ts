import { execFileSync } from "node:child_process";
import { createReadStream, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { beforeEach, describe, expect, it } from "vitest";
import { writeArchiveFile } from "../../../store/archive/archive-file.ts";
import type { Abortable } from "../../../store/file-bytes.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { failureOf } from "../registry/test-repository.ts";

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory("archive-file");
});

const at = (name: string) => join(directory, name);
async function* bytes(...chunks: readonly (string | Error)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) {
    if (chunk instanceof Error) throw chunk;
    yield Buffer.from(chunk);
  }
}
const write = (path: string, content: AsyncIterable<Uint8Array> = bytes("new"), options: Abortable = {}) =>
  writeArchiveFile(path, content, `saving to ${path}`, options);
const fifo = () => {
  execFileSync("mkfifo", [at("fifo")]);
  return at("fifo");
};

describe("a file", () => {
  it.each([["missing"], ["there"]])("that is %s is written whole", async (name) => {
    writeFileSync(at("there"), "old");
    await write(at(name));
    expect([readFileSync(at(name), "utf8"), readdirSync(directory)]).toEqual(["new", [...new Set([name, "there"])].sort()]);
  });

  it("stays as it was when the source fails", async () => {
    writeFileSync(at("file"), "old");
    const failure = new Error("no more");
    expect(await failureOf(write(at("file"), bytes("n", failure)))).toBe(failure);
    expect([readFileSync(at("file"), "utf8"), readdirSync(directory)]).toEqual(["old", ["file"]]);
  });

  it.each<[name: string, target: string]>([
    ["a file", "sub/there"],
    ["what is not there yet", "sub/missing"],
    ["another link", "sub/link"],
  ])("behind a link to %s is replaced where it is, and the link stays", async (_name, target) => {
    mkdirSync(at("sub"));
    writeFileSync(at("sub/there"), "old");
    symlinkSync("end", at("sub/link"));
    symlinkSync(target, at("link"));
    await write(at("link"));
    expect([readFileSync(at("link"), "utf8"), readlinkSync(at("link"))]).toEqual(["new", target]);
    expect(lstatSync(at(target === "sub/link" ? "sub/end" : target)).isFile()).toBe(true);
    expect(readdirSync(directory).sort()).toEqual(["link", "sub"]);
  });
});

describe("a FIFO", () => {
  it("gets the bytes, and stays", async () => {
    const path = fifo();
    const large = "x".repeat(300_000);
    const [read] = await Promise.all([text(createReadStream(path)), write(path, bytes(large, "end"))]);
    expect(read).toBe(`${large}end`);
    expect(lstatSync(path).isFIFO()).toBe(true);
    expect(readdirSync(directory)).toEqual(["fifo"]);
  });

  it("that nobody reads is waited for until the end of patience", async () => {
    const reason = new Error("enough");
    const writing = write(fifo(), bytes("new"), { signal: AbortSignal.timeout(80) });
    expect(await failureOf(writing)).toMatchObject({ name: "TimeoutError" });
    expect(await failureOf(write(at("fifo"), bytes("new"), { signal: AbortSignal.abort(reason) }))).toBe(reason);
  });

  it("whose reader stands still can be left", async () => {
    const path = fifo();
    const reader = createReadStream(path, { highWaterMark: 1 });
    const giveUp = new AbortController();
    const reason = new Error("enough");
    reader.once("readable", () => giveUp.abort(reason));
    expect(await failureOf(write(path, bytes(...Array(20).fill("x".repeat(100_000))), { signal: giveUp.signal }))).toBe(reason);
    reader.destroy();
  });

  it("whose reader goes says so", async () => {
    const path = fifo();
    const reader = createReadStream(path, { highWaterMark: 1 });
    reader.once("data", () => reader.destroy());
    expect(await failureOf(write(path, bytes(...Array(20).fill("x".repeat(100_000)))))).toMatchObject({ code: "EPIPE" });
  });
});

it("a character device gets the bytes, and stays", async () => {
  await write("/dev/null");
  expect(lstatSync("/dev/null").isCharacterDevice()).toBe(true);
  symlinkSync("/dev/null", at("link"));
  await write(at("link"));
  expect(lstatSync(at("link")).isSymbolicLink()).toBe(true);
  expect(await failureOf(write("/dev/full"))).toMatchObject({ code: "ENOSPC" });
});

it("a directory is refused", async () => {
  mkdirSync(at("sub"));
  expect(await failureOf(write(at("sub")))).toMatchObject({
    code: "NOT_A_FILE",
    message: `saving to ${at("sub")}: it is a directory`,
    hint: "name a file",
  });
  expect(readdirSync(at("sub"))).toEqual([]);
});
