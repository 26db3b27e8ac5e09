/** An object, text or number of a JSON document, and the line on which it begins. */
export interface JsonAt {
  /** From 1. */
  readonly line: number;
  readonly value: string | number | ReadonlyMap<string, JsonAt>;
}

/** Makes the error that is thrown for a problem on a line. */
export type Refuse = (line: number, problem: string, hint?: string) => Error;

const token = /[{}:,]|"(?:[^"\\\x00-\x1f]|\\.)*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const mostDeep = 8;

/**
 * Reads JSON (RFC 8259) of which objects, texts and numbers are enough, and keeps the lines. Unlike JSON.parse it refuses a name that an object has twice: of two
 * entries a reader would see one and the program use the other.
 */
export function parseJsonLines(text: string, refuse: Refuse): JsonAt {
  let at = 0;
  let line = 1;

  const skipSpace = (): void => {
    for (; at < text.length && " \t\r\n".includes(text.charAt(at)); at++) if (text.charAt(at) === "\n") line++;
  };
  const peek = (): string | undefined => {
    skipSpace();
    token.lastIndex = at;
    return token.exec(text)?.[0];
  };
  const take = (expected: string, accepts: (found: string) => boolean): string => {
    const found = peek();
    if (found === undefined || !accepts(found)) throw unexpected(expected);
    at += found.length;
    return found;
  };
  const unexpected = (expected: string): Error => {
    if (/^(?:<{7}|={7}|>{7})/.test(text.slice(at, at + 7)))
      return refuse(line, "it holds a merge conflict", "resolve it, or write the file anew");
    return refuse(line, at === text.length ? `it ends where ${expected} should be` : `here should be ${expected}`);
  };
  const textOf = (quoted: string): string => {
    try {
      return JSON.parse(quoted) as string;
    } catch {
      throw refuse(line, "an escape sequence of a text is none");
    }
  };

  const readValue = (depth: number): JsonAt => {
    const found = take("a value", (word) => !"}:,".includes(word));
    const begin = line;
    if (found !== "{") return { line: begin, value: found.startsWith('"') ? textOf(found) : Number(found) };
    if (depth === mostDeep) throw refuse(line, "objects are nested too deep");
    const members = new Map<string, JsonAt>();
    if (peek() === "}") at++;
    else {
      do {
        const name = textOf(take('a name in "', (word) => word.startsWith('"')));
        if (members.has(name)) throw refuse(line, `${JSON.stringify(name)} is there twice`);
        take('":"', (word) => word === ":");
        members.set(name, readValue(depth + 1));
      } while (take('"," or "}"', (word) => word === "," || word === "}") === ",");
    }
    return { line: begin, value: members };
  };

  const value = readValue(1);
  skipSpace();
  if (at < text.length) throw unexpected("the end");
  return value;
}
