import { TsbuildError } from "../../runtime-addon/index.ts";
import { quoted } from "./fault.ts";
import type { MountFlag, Word } from "./instruction.ts";
import { nearest } from "./suggest.ts";
import { type MountOption, parseKeyValueFlags } from "./values.ts";

export type MountType = "bind" | "cache" | "tmpfs" | "secret" | "ssh";

/** What one --mount says; what it does not say is absent. */
export interface MountSpec {
  readonly type: MountType;
  readonly from?: string;
  readonly source?: string;
  readonly target?: string;
  readonly readOnly?: boolean;
  readonly id?: string;
  readonly sharing?: "shared" | "private" | "locked";
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly sizeBytes?: number;
  readonly required?: boolean;
  readonly env?: string;
}

const types: readonly MountType[] = ["bind", "cache", "tmpfs", "secret", "ssh"];
const sharings = ["shared", "private", "locked"] as const;

/** Options by every name they have. */
const names: Readonly<Record<string, string>> = {
  type: "type",
  from: "from",
  source: "source",
  src: "source",
  target: "target",
  dst: "target",
  destination: "target",
  readonly: "readonly",
  ro: "readonly",
  readwrite: "readwrite",
  rw: "readwrite",
  id: "id",
  sharing: "sharing",
  required: "required",
  size: "size",
  mode: "mode",
  uid: "uid",
  gid: "gid",
  env: "env",
};

/** These alone may stand without a value. */
const bare: ReadonlySet<string> = new Set(["readonly", "readwrite", "required"]);

/** Options that only some types may have. BuildKit lets the others pass on every type, whether they mean something there or not. */
const typesOf: Readonly<Record<string, readonly MountType[]>> = {
  mode: ["cache", "secret", "ssh"],
  uid: ["cache", "secret", "ssh"],
  gid: ["cache", "secret", "ssh"],
  size: ["tmpfs"],
  required: ["secret", "ssh"],
  sharing: ["cache"],
};

/** What the type may not have, with what would be meant. */
const refused: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  secret: { from: "a secret comes from the caller: name it with id=NAME" },
  ssh: { source: "name the socket with id=NAME" },
};

/**
 * Reads the value of one `RUN --mount`: options by their own names, each once. Where no value holds a variable, a quote or an escape, what they say is checked as
 * well. Throws INVALID_MOUNT.
 */
export function parseMount(text: Word, escapeChar: string): MountFlag {
  const options = parseKeyValueFlags(text).map((option) => named(option, text));
  const flag = { text, options };
  for (const [index, { key }] of options.entries()) {
    if (options.findIndex((other) => other.key === key) < index) throw invalid(text, `${key} is given twice`);
  }
  if (options.some(({ key }) => key === "readonly") && options.some(({ key }) => key === "readwrite")) {
    throw invalid(text, "readonly and readwrite contradict each other");
  }
  const isPlain = options.every(({ value = "" }) => !/[$'"]/.test(value) && !value.includes(escapeChar));
  if (isPlain) mountSpec(flag, (value) => value);
  return flag;
}

function named({ key: written, value }: MountOption, text: string): MountOption {
  const key = Object.hasOwn(names, written) ? names[written] : undefined;
  if (key === undefined) {
    const near = nearest(written, Object.keys(names));
    throw invalid(
      text,
      `there is no option ${quoted(written)}`,
      near === undefined ? `the options are ${Object.keys(names).join(", ")}` : `did you mean "${near}"?`,
    );
  }
  if (value === undefined && !bare.has(key)) throw invalid(text, `${written} needs a value`, `write ${written}=VALUE`);
  return value === undefined ? { key } : { key, value };
}

/** What the options say when their values are expanded, and whether they go together. Throws INVALID_MOUNT, and what `expand` throws. */
export function mountSpec({ text, options }: MountFlag, expand: (value: string, key: string) => string): MountSpec {
  const given = new Map(options.map(({ key, value }) => [key, value === undefined ? undefined : expand(value, key)]));
  const type = mountType(given.get("type") ?? "bind", text);
  for (const key of given.keys()) {
    const allowed = typesOf[key];
    if (allowed !== undefined && !allowed.includes(type)) {
      throw invalid(text, `a mount of type ${type} has no ${key}`, `${key} is for type=${allowed.join(" and type=")}`);
    }
    const hint = refused[type]?.[key];
    if (hint !== undefined && given.get(key) !== "") throw invalid(text, `a mount of type ${type} has no ${key}`, hint);
  }
  const word = (key: string): string | undefined => given.get(key) || undefined;
  if (type === "secret" && word("id") !== undefined && word("source") !== undefined) {
    throw invalid(text, "id and source are two names of one secret", "give one of them");
  }
  if (type === "secret" && ["id", "source", "target"].every((key) => word(key) === undefined)) {
    throw invalid(text, "it does not say which secret", "write --mount=type=secret,id=NAME");
  }
  return defined({
    type,
    from: word("from"),
    source: word("source"),
    target: word("target"),
    readOnly: readOnly(given, text),
    id: word("id"),
    sharing: given.has("sharing") ? oneOf(given.get("sharing") ?? "", sharings, "sharing", text) : undefined,
    mode: number(given, "mode", /^[0-7]{1,11}$/, 8, 0o7777, "octal digits up to 7777", text),
    uid: number(given, "uid", /^\d{1,10}$/, 10, maxId, `a number up to ${maxId}`, text),
    gid: number(given, "gid", /^\d{1,10}$/, 10, maxId, `a number up to ${maxId}`, text),
    sizeBytes: given.has("size") ? size(given.get("size") ?? "", text) : undefined,
    required: given.has("required") ? bool(given.get("required"), "required", text) : undefined,
    env: given.has("env") ? variable(given.get("env") ?? "", text) : undefined,
  });
}

/** 2^32-1 is what chown(2) takes for "leave as it is". */
const maxId = 4294967294;

function mountType(value: string, text: string): MountType {
  return oneOf(value, types, "type", text);
}

function oneOf<T extends string>(value: string, allowed: readonly T[], key: string, text: string): T {
  const found = allowed.find((name) => name === value.toLowerCase());
  if (found !== undefined) return found;
  const near = nearest(value, allowed);
  throw invalid(
    text,
    `there is no ${key} ${quoted(value)}`,
    near === undefined ? `it may be ${allowed.join(", ")}` : `did you mean "${near}"?`,
  );
}

function readOnly(given: ReadonlyMap<string, string | undefined>, text: string): boolean | undefined {
  if (given.has("readonly")) return bool(given.get("readonly"), "readonly", text);
  return given.has("readwrite") ? !bool(given.get("readwrite"), "readwrite", text) : undefined;
}

/** As Go's strconv.ParseBool; nothing is yes. */
function bool(value: string | undefined, key: string, text: string): boolean {
  if (value === undefined || /^(?:1|t|T|true|TRUE|True)$/.test(value)) return true;
  if (/^(?:0|f|F|false|FALSE|False)$/.test(value)) return false;
  throw invalid(text, `${key} is ${quoted(value)}: expected true or false`);
}

function number(
  given: ReadonlyMap<string, string | undefined>,
  key: string,
  form: RegExp,
  radix: number,
  max: number,
  expected: string,
  text: string,
): number | undefined {
  const value = given.get(key);
  if (value === undefined) return undefined;
  const parsed = form.test(value) ? Number.parseInt(value, radix) : Number.NaN;
  if (parsed <= max) return parsed;
  throw invalid(text, `${key} is ${quoted(value)}: expected ${expected}`);
}

const unitPowers = "kmgtp";

/** As Docker reads sizes: powers of 1024, "64m" and "64MiB" are one. */
function size(value: string, text: string): number {
  const [, digits, unit = ""] = /^(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?$/i.exec(value) ?? [];
  const bytes =
    digits === undefined ? Number.NaN : Math.trunc(Number(digits) * 1024 ** (unit === "" ? 0 : unitPowers.indexOf(unit.toLowerCase()) + 1));
  if (Number.isSafeInteger(bytes)) return bytes;
  throw invalid(text, `size is ${quoted(value)}: expected a size such as 64m or 1g`);
}

function variable(value: string, text: string): string {
  if (value !== "" && !/[=\0]/.test(value)) return value;
  throw invalid(text, `env is ${quoted(value)}, which is no name of a variable`);
}

/** INVALID_MOUNT, with the mount as written. */
export function invalid(text: string, problem: string, hint?: string): TsbuildError {
  return new TsbuildError("INVALID_MOUNT", `reading --mount=${quoted(text)}: ${problem}`, hint === undefined ? {} : { hint });
}

function defined(spec: { [K in keyof MountSpec]: MountSpec[K] | undefined } & Pick<MountSpec, "type">): MountSpec {
  return { ...Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== undefined)), type: spec.type };
}
