import { describe, expect, it } from "vitest";
import { outputTail } from "../../../builder/sandbox/output-tail.ts";

function linesOf(maxLines: number, ...chunks: readonly string[]): readonly string[] {
  const tail = outputTail(maxLines);
  for (const chunk of chunks) tail.add(Buffer.from(chunk));
  return tail.lines();
}

describe("the tail of an output", () => {
  it.each<[name: string, chunks: string[], expected: string[]]>([
    ["nothing", [], []],
    ["a line", ["one\n"], ["one"]],
    ["a line without its end", ["one"], ["one"]],
    ["lines in pieces", ["o", "ne\ntw", "o\n"], ["one", "two"]],
    ["the last lines only", ["1\n2\n3\n4\n"], ["2", "3", "4"]],
    ["line ends of other systems", ["one\r\ntwo\r\n"], ["one", "two"]],
    ["blank lines", ["one\n\ntwo\n"], ["one", "", "two"]],
  ])("is %s", (_name, chunks, expected) => {
    expect(linesOf(3, ...chunks)).toEqual(expected);
  });

  it("is text, also where a character comes in pieces", () => {
    const tail = outputTail(3);
    const bytes = Buffer.from("ü🎉\n");
    for (const byte of bytes) tail.add(Uint8Array.of(byte));
    expect(tail.lines()).toEqual(["ü🎉"]);
  });

  it("does not depend on what becomes of the chunks that it was given", () => {
    const tail = outputTail(3);
    const chunk = Buffer.from("one\n");
    tail.add(chunk);
    chunk.fill(0x78);
    expect(tail.lines()).toEqual(["one"]);
  });

  it("stays small however much is printed, in many lines or in one", () => {
    const tail = outputTail(5);
    const megabyte = Buffer.alloc(1 << 20, "x");
    for (let i = 0; i < 64; i++) tail.add(megabyte);
    tail.add(Buffer.from("\nlast\n"));
    const lines = tail.lines();
    expect(lines.at(-1)).toBe("last");
    expect(lines.join("").length).toBeLessThan(200_000);
  });
});
