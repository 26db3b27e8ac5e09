import type { CliIo } from "./cli-io.ts";

/** Asks somebody at a terminal. Answers come without their line end; undefined: no answer was wanted (Ctrl-C, Ctrl-D). */
export interface Prompt {
  line(question: string): Promise<string | undefined>;
  /** What is typed is not shown. */
  secret(question: string): Promise<string | undefined>;
  /** Gives the terminal back. */
  close(): Promise<void>;
}

const keys = { interrupt: "\x03", end: "\x04", eraseLine: "\x15" };
const erase: readonly string[] = ["\x7f", "\b"];

/** Questions go to standard error, for the output may be piped. */
export function openPrompt({ stdin, stderr }: Pick<CliIo, "stdin" | "stderr">): Prompt {
  const input = stdin[Symbol.asyncIterator]();
  const decoder = new TextDecoder();
  let ahead = "";

  /** Some characters, which may have been typed before they were asked for; undefined at the end. */
  const characters = async (): Promise<string | undefined> => {
    if (ahead === "") {
      const { done, value } = await input.next();
      if (done === true) return undefined;
      return decoder.decode(value, { stream: true });
    }
    const text = ahead;
    ahead = "";
    return text;
  };

  /** `edit` takes a character into the line; undefined ends all. */
  const readLine = async (edit: (line: string, character: string) => string | undefined): Promise<string | undefined> => {
    let line = "";
    for (;;) {
      const text = await characters();
      if (text === undefined) return line === "" ? undefined : line;
      const all = [...text];
      for (const [i, character] of all.entries()) {
        if (character === "\n" || character === "\r") {
          ahead = all.slice(i + 1).join("");
          return line;
        }
        const edited = edit(line, character);
        if (edited === undefined) return undefined;
        line = edited;
      }
    }
  };

  return {
    async line(question) {
      stderr.write(question);
      return (await readLine((line, character) => line + character))?.trim();
    },
    async secret(question) {
      // First of all: whoever sees the question may type at once.
      stdin.setRawMode?.(true);
      try {
        stderr.write(question);
        return await readLine(editSecret);
      } finally {
        stdin.setRawMode?.(false);
        stderr.write("\n");
      }
    },
    async close() {
      await input.return?.();
    },
  };
}

/** What the terminal itself does while it shows what is typed. */
function editSecret(line: string, character: string): string | undefined {
  if (character === keys.interrupt || (character === keys.end && line === "")) return undefined;
  if (character === keys.eraseLine) return "";
  if (erase.includes(character)) return [...line].slice(0, -1).join("");
  return character < " " ? line : line + character;
}
