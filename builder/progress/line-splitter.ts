import { StringDecoder } from "node:string_decoder";

/** A line longer than this is cut in pieces, so that memory stays flat. */
const longestLine = 64 * 1024;

/** Turns chunks of bytes into lines of text without their ends ("\n" or "\r\n"). */
export interface LineSplitter {
  push(chunk: Uint8Array): string[];
  /** What stands after the last line end, and forgets it. */
  rest(): string | undefined;
  /** The same without forgetting: what the unfinished line says so far. */
  readonly unfinished: string;
}

export function lineSplitter(): LineSplitter {
  const decoder = new StringDecoder("utf8");
  let unfinished = "";
  return {
    get unfinished() {
      return unfinished;
    },
    push(chunk) {
      const parts = decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)).split("\n");
      parts[0] = unfinished + (parts[0] ?? "");
      unfinished = parts.pop() ?? "";
      if (unfinished.length > longestLine) {
        parts.push(unfinished);
        unfinished = "";
      }
      return parts.map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line));
    },
    rest() {
      const text = unfinished + decoder.end();
      unfinished = "";
      return text === "" ? undefined : text;
    },
  };
}
