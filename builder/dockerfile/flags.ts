import type { Token } from "./arguments.ts";
import { Fault, quoted } from "./fault.ts";
import { nearest } from "./suggest.ts";

/** What kind of value a flag has: a text, once; several texts, by repeating it; yes or no. */
export type FlagKind = "text" | "list" | "bool";

/** The flags given, by name without dashes. */
export interface Flags {
  text(name: string): string | undefined;
  list(name: string): readonly string[];
  bool(name: string): boolean | undefined;
  /** Where a flag stands, for errors about its value. */
  token(name: string): Token;
  /** The same of every time it is given. */
  tokens(name: string): readonly Token[];
}

/** Checks an instruction's flags against those it knows. Throws a Fault at the flag that is wrong. */
export function parseFlags(keyword: string, tokens: readonly Token[], known: Readonly<Record<string, FlagKind>>): Flags {
  const found = new Map<string, { tokens: [Token, ...Token[]]; values: string[] }>();
  for (const token of tokens) {
    const equals = token.text.indexOf("=");
    const name = token.text.slice(2, equals < 0 ? undefined : equals);
    const value = equals < 0 ? undefined : token.text.slice(equals + 1);
    const kind = Object.hasOwn(known, name) ? known[name] : undefined;
    if (kind === undefined) throw unknownFlag(keyword, name, token, Object.keys(known));
    const earlier = found.get(name);
    if (earlier !== undefined && kind !== "list")
      throw new Fault("DUPLICATE_FLAG", `${keyword} --${name} is given twice`, token.from, token.to);
    const checked = kind === "bool" ? boolean(keyword, name, value, token) : value;
    if (checked === undefined) {
      throw new Fault("MISSING_FLAG_VALUE", `${keyword} --${name} needs a value`, token.from, token.to, { hint: `write --${name}=VALUE` });
    }
    if (earlier === undefined) found.set(name, { tokens: [token], values: [checked] });
    else {
      earlier.tokens.push(token);
      earlier.values.push(checked);
    }
  }
  return {
    text: (name) => found.get(name)?.values[0],
    list: (name) => found.get(name)?.values ?? [],
    bool: (name) => (found.has(name) ? found.get(name)?.values[0] === "true" : undefined),
    token: (name) => found.get(name)?.tokens[0] ?? { text: "", from: 0, to: 0 },
    tokens: (name) => found.get(name)?.tokens ?? [],
  };
}

function boolean(keyword: string, name: string, value: string | undefined, token: Token): string {
  const text = (value ?? "true").toLowerCase();
  if (text === "true" || text === "false") return text;
  throw new Fault("INVALID_FLAG", `${keyword} --${name} is ${quoted(value ?? "")}: expected true or false`, token.from, token.to);
}

function unknownFlag(keyword: string, name: string, { from, to }: Token, known: readonly string[]): Fault {
  const near = nearest(name, known);
  const list = known.map((flag) => `--${flag}`).join(", ");
  return new Fault("UNKNOWN_FLAG", `${keyword} has no flag ${quoted(`--${name}`)}`, from, to, {
    hint:
      near !== undefined
        ? `did you mean "--${near}"?`
        : keyword === "ADD" && name === "from"
          ? "COPY has --from"
          : known.length > 0
            ? `its flags are ${list}; arguments that begin with -- go behind a lone --`
            : `${keyword} has no flags; arguments that begin with -- go behind a lone --`,
  });
}
