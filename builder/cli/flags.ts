import { parseArgs } from "node:util";
import { nearest } from "../dockerfile/suggest.ts";
import { UsageError } from "./usage-error.ts";

/** One flag of a command. */
export interface Flag {
  readonly short?: string;
  /** Another name, by which other builders know it. */
  readonly alias?: string;
  /** Placeholder of the value in the help; absent: a switch. */
  readonly value?: string;
  /** May be given more than once; otherwise the last one counts. */
  readonly many?: boolean;
  /** An empty value is none: scripts write --target "$TARGET". */
  readonly blank?: true;
  /** An empty value is refused: something else than was meant would be taken, or nothing written. */
  readonly named?: true;
  /** The only values allowed. */
  readonly choices?: readonly string[];
  /** Hint for another one that is not nearly one of them. */
  readonly choiceHint?: string;
  /** What the flag means when it stands alone; its value then needs "=". */
  readonly implied?: string;
  readonly help: string;
}

export type FlagTable = Readonly<Record<string, Flag>>;

/** A flag that other builders know and this one does not have. */
export interface ForeignFlag {
  readonly short?: string;
  /** It takes a value. */
  readonly value?: boolean;
  /** Accepted, with this sentence, since it changes nothing here. */
  readonly note?: string;
  /** Refused; says what is missing. */
  readonly missing?: string;
  /** A value that asks for nothing and is therefore accepted. */
  readonly off?: string;
}

/** What a command's help page is made of. */
export interface CommandSpec<Flags extends FlagTable = FlagTable> {
  readonly name: string;
  /** What stands behind the options: "PATH | -". */
  readonly operands: string;
  readonly summary: string;
  readonly flags: Flags;
  readonly foreign?: Readonly<Record<string, ForeignFlag>>;
  readonly examples: readonly string[];
  /** The first operand ends the flags: what follows belongs to another command. */
  readonly stopAtOperand?: boolean;
}

type ValueOf<F extends Flag> = F extends { choices: readonly (infer Choice)[] } ? Choice : string;

/** Values by flag name; a flag that was not given is absent. */
export type FlagValues<Flags extends FlagTable> = {
  readonly [Name in keyof Flags]?: Flags[Name] extends { value: string }
    ? Flags[Name] extends { many: true }
      ? readonly ValueOf<Flags[Name]>[]
      : ValueOf<Flags[Name]>
    : boolean;
};

export interface ParsedFlags<Flags extends FlagTable> {
  readonly help: boolean;
  readonly flags: FlagValues<Flags>;
  readonly operands: readonly string[];
  /** Sentences about flags that were accepted without effect. */
  readonly notes: readonly string[];
}

export const helpFlag: Flag = { short: "h", help: "Show this help" };

/**
 * Reads a command's arguments (`--name value`, `--name=value`, `-n value`, `-nvalue`, `-n=value`, joined switches `-it`, `--` ends the
 * flags). Throws UsageError: UNKNOWN_FLAG, UNSUPPORTED_FLAG, MISSING_VALUE, INVALID_VALUE.
 */
export function parseFlags<const Flags extends FlagTable>(spec: CommandSpec<Flags>, argv: readonly string[]): ParsedFlags<Flags> {
  const shorts = shortNames(spec);
  const tokens = tokensOf(spec, shorts, argv);
  const values: Record<string, boolean | string | string[]> = {};
  const operands: string[] = [];
  const notes: string[] = [];
  let help = false;
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") {
      if (spec.stopAtOperand) {
        operands.push(...argv.slice(token.index));
        break;
      }
      operands.push(token.value);
      continue;
    }
    const flag = Object.hasOwn(spec.flags, token.name) ? spec.flags[token.name] : undefined;
    if (flag !== undefined) store(values, token, flag);
    else if (token.name === "help") help = true;
    else readForeign(spec, token, notes);
  }
  // The values were stored under the table's own names with the table's own shapes; the type system cannot follow that.
  return { help, flags: values as FlagValues<Flags>, operands, notes };
}

interface OptionToken {
  readonly kind: "option";
  readonly name: string;
  readonly rawName: string;
  readonly value: string | undefined;
  readonly inline: boolean;
}
type Token =
  | OptionToken
  | {
      readonly kind: "positional";
      readonly value: string;
      readonly index: number;
    }
  | { readonly kind: "option-terminator" };

function tokensOf(spec: CommandSpec, shorts: Readonly<Record<string, string>>, argv: readonly string[]): Token[] {
  const options: Record<string, { type: "string" | "boolean"; short?: string }> = {};
  const shortOf: Record<string, string> = {};
  for (const [short, name] of Object.entries(shorts)) shortOf[name] = short;
  const declare = (name: string, takesValue: boolean): void => {
    const short = shortOf[name];
    options[name] = {
      type: takesValue ? "string" : "boolean",
      ...(short === undefined ? {} : { short }),
    };
  };
  const nameOf = new Map<string, string>();
  for (const [name, flag] of Object.entries(spec.flags)) {
    const takesValue = flag.value !== undefined && flag.implied === undefined;
    declare(name, takesValue);
    if (flag.alias === undefined) continue;
    declare(flag.alias, takesValue);
    nameOf.set(flag.alias, name);
  }
  for (const [name, flag] of Object.entries(spec.foreign ?? {})) declare(name, flag.value === true);
  declare("help", false);
  const { tokens } = parseArgs({
    args: [...argv],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  return tokens.map((token): Token => {
    if (token.kind !== "option") return token;
    const { rawName, value } = token;
    const name = nameOf.get(token.name) ?? token.name;
    // "-it=false": to the parser "=" is a switch of its own.
    if (name === "=" && !rawName.startsWith("--"))
      throw new UsageError("INVALID_VALUE", `reading the command line: ${argv[token.index]} joins switches, which then have no value`, {
        hint: "write each by itself: -i -t=false",
      });
    // "-f=x": the parser hands over "=x", which no one means.
    if (value !== undefined && token.inlineValue && !rawName.startsWith("--") && value.startsWith("=")) {
      return {
        kind: "option",
        name,
        rawName,
        value: value.slice(1),
        inline: true,
      };
    }
    return {
      kind: "option",
      name,
      rawName,
      value,
      inline: token.inlineValue === true,
    };
  });
}

function shortNames(spec: CommandSpec): Record<string, string> {
  const shorts: Record<string, string> = { h: "help" };
  for (const [name, flag] of Object.entries(spec.foreign ?? {})) if (flag.short !== undefined) shorts[flag.short] = name;
  for (const [name, flag] of Object.entries(spec.flags)) if (flag.short !== undefined) shorts[flag.short] = name;
  return shorts;
}

function store(values: Record<string, boolean | string | string[]>, token: OptionToken, flag: Flag): void {
  if (flag.value === undefined) {
    values[token.name] = token.inline ? booleanOf(token) : true;
    return;
  }
  const value = token.value ?? flag.implied;
  if (value === undefined)
    throw new UsageError("MISSING_VALUE", `reading the command line: ${token.rawName} needs a value (${flag.value})`);
  if (flag.blank && value === "") return;
  if (flag.named && value === "") throw new UsageError("INVALID_VALUE", `reading ${token.rawName}: the value (${flag.value}) is empty`);
  if (flag.choices !== undefined && !flag.choices.includes(value)) {
    throw new UsageError("INVALID_VALUE", `reading ${token.rawName}: "${value}" is not one of ${flag.choices.join(", ")}`, {
      ...(flag.choiceHint === undefined ? {} : { hint: flag.choiceHint }),
      ...didYouMean(value, flag.choices),
    });
  }
  if (flag.many !== true) {
    values[token.name] = value;
    return;
  }
  const list = values[token.name];
  if (Array.isArray(list)) list.push(value);
  else values[token.name] = [value];
}

function booleanOf(token: OptionToken): boolean {
  if (/^(1|t|true)$/i.test(token.value ?? "")) return true;
  if (/^(0|f|false)$/i.test(token.value ?? "")) return false;
  throw new UsageError("INVALID_VALUE", `reading ${token.rawName}: "${token.value}" is neither true nor false`);
}

function readForeign(spec: CommandSpec, token: OptionToken, notes: string[]): void {
  const flag = Object.hasOwn(spec.foreign ?? {}, token.name) ? spec.foreign?.[token.name] : undefined;
  if (flag === undefined) {
    const names = [...Object.keys(spec.flags), "help"].map((name) => `--${name}`);
    throw new UsageError("UNKNOWN_FLAG", `reading the command line: ${spec.name} has no flag ${token.rawName}`, {
      hint: didYouMean(token.rawName, names).hint ?? `tsbuild ${spec.name} --help lists the flags`,
    });
  }
  if (flag.off !== undefined && token.value === flag.off) return;
  if (flag.missing !== undefined) {
    throw new UsageError("UNSUPPORTED_FLAG", `reading the command line: ${token.rawName} is not supported: ${flag.missing}`);
  }
  const note = `${token.rawName}: ${flag.note ?? "accepted"}`;
  if (!notes.includes(note)) notes.push(note);
}

function didYouMean(word: string, candidates: readonly string[]): { hint?: string } {
  const found = nearest(word, candidates);
  return found === undefined ? {} : { hint: `did you mean ${found}?` };
}
