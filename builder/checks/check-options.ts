import { TsbuildError } from "../../store/errors.ts";
import { quoted } from "./rule.ts";

/** Which rules hold: what `# check=` says. */
export interface CheckOptions {
  /** Rules that keep silent; "all" means every rule that is not experimental. */
  readonly skip: ReadonlySet<string>;
  /** Experimental rules that hold; "all" means every one. */
  readonly experimental: ReadonlySet<string>;
  /** Findings are errors. */
  readonly error: boolean;
}

export const noCheckOptions: CheckOptions = { skip: new Set(), experimental: new Set(), error: false };

const words = "skip=RULE,…;error=true;experimental=RULE,…";

/** Reads "skip=A,B;error=true;experimental=all". Of an option given twice the last counts. `where` begins the message. Throws INVALID_DIRECTIVE. */
export function parseCheckOptions(text: string, where: string): CheckOptions {
  const invalid = (problem: string): TsbuildError =>
    new TsbuildError("INVALID_DIRECTIVE", `${where}: ${problem}`, { hint: `it is written ${words}` });
  let options = noCheckOptions;
  for (const part of text.trim() === "" ? [] : text.split(";")) {
    const equals = part.indexOf("=");
    if (equals < 0) throw invalid(`${quoted(part)} has no "="`);
    const name = part.slice(0, equals).trim();
    const value = part.slice(equals + 1).trim();
    if (name === "skip" || name === "experimental") options = { ...options, [name]: new Set(value.split(",").map((rule) => rule.trim())) };
    else if (name === "error") {
      const error = booleanOf(value);
      if (error === undefined) throw invalid(`error=${quoted(value)} is neither true nor false`);
      options = { ...options, error };
    } else throw invalid(`there is no option ${quoted(name)}`);
  }
  return options;
}

/** The forms of Go's strconv.ParseBool. */
function booleanOf(text: string): boolean | undefined {
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
  return /^(0|f|F|FALSE|false|False)$/.test(text) ? false : undefined;
}

/** Whether a rule holds under these options. */
export function holds(rule: { readonly name: string; readonly experimental?: true }, options: CheckOptions): boolean {
  if (rule.experimental) return options.experimental.has("all") || options.experimental.has(rule.name);
  return !options.skip.has("all") && !options.skip.has(rule.name);
}

/** What `# check=` above one instruction adds to the options of the file. */
export function mergeOptions(file: CheckOptions, own: CheckOptions): CheckOptions {
  return {
    skip: new Set([...file.skip, ...own.skip]),
    experimental: new Set([...file.experimental, ...own.experimental]),
    error: file.error,
  };
}
