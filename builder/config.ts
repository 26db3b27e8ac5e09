import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type ErrorDetails, isSystemError, TsbuildError } from "../runtime-addon/index.ts";
import { nearest } from "./dockerfile/suggest.ts";
import { findKey, isTable, type Settings, type SettingsDraft, settingKeys } from "./settings.ts";

export type { Settings };

/** A settings file is wrong. The message begins with "file:line: " as far as the line is known. */
export class ConfigError extends TsbuildError {
  constructor(
    code: string,
    readonly file: string,
    readonly line: number | undefined,
    problem: string,
    details?: ErrorDetails,
  ) {
    super(code, `${file}${line === undefined ? "" : `:${line}`}: ${problem}`, details);
  }
}

/** Where a file came from: the project's own belongs to whoever wrote the context, and may not loosen anything. */
type Origin = "system" | "user" | "project";

/** A settings file is a page of text; what is larger is something else. */
const largestFile = 64 * 1024;

/**
 * Reads tsbuild.toml of the system (/etc/tsbuild), of the user ($XDG_CONFIG_HOME/tsbuild) and of the project (the context's directory, when
 * there is one); later files win key by key. Throws ConfigError: CONFIG_SYNTAX, CONFIG_UNKNOWN_KEY, CONFIG_INVALID_VALUE, CONFIG_NOT_ALLOWED
 * (a project's file asks for more than a context may have), CONFIG_UNREADABLE.
 */
export async function loadSettings(options: {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly context?: string;
  /** Directory of the system's file; absent: /etc/tsbuild. */
  readonly systemDirectory?: string;
}): Promise<Settings> {
  const { env, context, systemDirectory = "/etc/tsbuild" } = options;
  const home = env.XDG_CONFIG_HOME || (env.HOME ? join(env.HOME, ".config") : undefined);
  const files: [Origin, string][] = [["system", join(systemDirectory, "tsbuild.toml")]];
  if (home !== undefined) files.push(["user", join(home, "tsbuild", "tsbuild.toml")]);
  if (context !== undefined) files.push(["project", join(context, "tsbuild.toml")]);
  const settings: SettingsDraft = {};
  for (const [origin, file] of files) {
    const text = readText(file, origin);
    if (text !== undefined) await readSettings(settings, file, origin, text);
  }
  return Object.freeze(settings);
}

function readText(file: string, origin: Origin): string | undefined {
  // A context may hold a link to a file of the host, or a FIFO that would wait for ever.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | (origin === "project" ? constants.O_NOFOLLOW : 0);
  let fd: number;
  try {
    fd = openSync(file, flags);
  } catch (error) {
    if (isSystemError(error, "ENOENT", "ENOTDIR")) return undefined;
    const problem = isSystemError(error, "ELOOP") ? "is a symbolic link" : `cannot be read: ${(error as Error).message}`;
    throw new ConfigError("CONFIG_UNREADABLE", file, undefined, problem, { cause: error });
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new ConfigError("CONFIG_UNREADABLE", file, undefined, "is not a regular file");
    if (stat.size > largestFile) throw new ConfigError("CONFIG_UNREADABLE", file, undefined, `is larger than ${largestFile} bytes`);
    return readFileSync(fd, "utf8");
  } finally {
    closeSync(fd);
  }
}

/** Adds what a file says to what files before it said. */
async function readSettings(settings: SettingsDraft, file: string, origin: Origin, text: string): Promise<void> {
  const { default: toml } = await import("@iarna/toml");
  let document: object;
  try {
    document = toml.parse(text);
  } catch (error) {
    const { line, message } = error as Error & { line?: number };
    // The rest of the parser's message shows the file's lines: whatever they are, they are not for a log.
    const problem = message.split("\n")[0]?.replace(/ at row \d+, col \d+, pos \d+:?$/, "") ?? "";
    throw new ConfigError("CONFIG_SYNTAX", file, line === undefined ? undefined : line + 1, `not valid TOML: ${problem}`);
  }
  for (const [path, value] of leaves(document)) {
    const found = findKey(path);
    const name = path.join(".");
    const line = lineOf(text, name);
    if (found === undefined) {
      const names = settingKeys.map((key) => key.name);
      const known = nearest(name, names) ?? nearestBelow(path, names);
      throw new ConfigError("CONFIG_UNKNOWN_KEY", file, line, `there is no setting "${name}"`, {
        hint: known === undefined ? `settings: ${names.join(", ")}` : `did you mean ${known}?`,
      });
    }
    const { key, chosen } = found;
    if (!key.accepts(value)) throw new ConfigError("CONFIG_INVALID_VALUE", file, line, `${name} must be ${key.expects}`);
    const refused = key.refuses?.(chosen);
    if (refused !== undefined) throw new ConfigError("CONFIG_INVALID_VALUE", file, line, `${name}: ${refused}`);
    if (origin === "project" && !key.inProject(value)) {
      throw new ConfigError("CONFIG_NOT_ALLOWED", file, line, `a context's own file may not set ${name} to ${JSON.stringify(value)}`, {
        hint: "put it in your own settings ($XDG_CONFIG_HOME/tsbuild/tsbuild.toml) or give the flag",
      });
    }
    key.put(settings, value, chosen);
  }
}

/** For names with a part of the file's own: the last part decides, as the one that is misspelt. */
function nearestBelow(path: readonly string[], names: readonly string[]): string | undefined {
  const siblings = names.filter((name) => {
    const parts = name.split(".");
    return parts.length === path.length && parts.slice(0, -1).every((part, i) => part === "*" || part === path[i]);
  });
  const last = nearest(
    path.at(-1) ?? "",
    siblings.map((name) => name.slice(name.lastIndexOf(".") + 1)),
  );
  return last === undefined ? undefined : [...path.slice(0, -1), last].join(".");
}

/** All values with their paths of names; of a table that is none of ours the path only, whatever is in it. */
function* leaves(table: object, above: readonly string[] = []): Generator<[readonly string[], unknown]> {
  for (const [name, value] of Object.entries(table)) {
    const path = [...above, name];
    if (isTable(path) && typeof value === "object" && value !== null && !Array.isArray(value)) yield* leaves(value, path);
    else yield [path, value];
  }
}

/** The line where a dotted name, or a table around it, gets its value, as far as that can be told without the parser. */
function lineOf(text: string, name: string): number | undefined {
  let table = "";
  for (const [index, line] of text.split("\n").entries()) {
    const trimmed = line.trim();
    const equals = trimmed.indexOf("=");
    let path: string;
    if (trimmed.startsWith("[")) path = table = dotted(trimmed.slice(1, trimmed.indexOf("]")));
    else if (equals > 0 && !trimmed.startsWith("#")) path = dotted(`${table}.${trimmed.slice(0, equals)}`);
    else continue;
    const isAround = !trimmed.startsWith("[") && name.startsWith(`${path}.`);
    if (path === name || path.startsWith(`${name}.`) || isAround) return index + 1;
  }
  return undefined;
}

/** A key as it is written → its parts without quotes and blanks, joined with dots. */
function dotted(key: string): string {
  const parts = key.match(/"[^"]*"|'[^']*'|[^.]+/g) ?? [];
  return parts
    .map((part) => part.trim().replace(/^(["'])(.*)\1$/, "$2"))
    .filter((part) => part !== "")
    .join(".");
}
