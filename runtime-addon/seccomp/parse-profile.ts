import { TsbuildError } from "../errors.ts";
import {
  SECCOMP_ACTIONS,
  SECCOMP_COMPARISONS,
  SECCOMP_FLAGS,
  type SeccompArgument,
  type SeccompProfile,
  type SeccompRule,
  type SeccompSubject,
} from "./profile.ts";

/**
 * Reads a profile's JSON. Fields that nothing is known of are passed over, as Docker does. `source` names the text in errors. Throws TsbuildError
 * SECCOMP_PROFILE, with the place in the document.
 */
export function parseSeccompProfile(text: string, source: string): SeccompProfile {
  const refuse = (what: string, cause?: unknown): TsbuildError =>
    new TsbuildError("SECCOMP_PROFILE", `reading the seccomp profile ${source}: ${what}`, cause === undefined ? {} : { cause });
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw refuse((cause as Error).message, cause);
  }
  const profile = new Value(document, "", refuse);
  const architectures = profile.list("architectures", (value) => value.text());
  const archMap = profile.list("archMap", (value) => ({
    architecture: value.field("architecture").text(),
    subArchitectures: value.list("subArchitectures", (each) => each.text()) ?? [],
  }));
  if (architectures?.length && archMap?.length) throw refuse('"architectures" and "archMap" say the same thing, and only one may be given');
  const listener = profile.optional("listenerPath");
  if (listener !== undefined && listener.text() !== "") throw refuse('"listenerPath" is not supported: nobody is asked about calls');
  return {
    defaultAction: profile.field("defaultAction").oneOf(SECCOMP_ACTIONS),
    ...given("defaultErrnoRet", profile.optional("defaultErrnoRet")?.errno()),
    ...given("architectures", architectures?.length ? architectures : undefined),
    ...given("archMap", archMap),
    ...given(
      "flags",
      profile.list("flags", (value) => value.oneOf(SECCOMP_FLAGS)),
    ),
    syscalls: profile.list("syscalls", readRule) ?? [],
  };
}

function readRule(rule: Value): SeccompRule {
  const name = rule.optional("name")?.text() ?? "";
  const names = rule.list("names", (value) => value.text()) ?? [];
  if (name !== "" && names.length > 0) throw rule.refuse('"name" and "names" say the same thing, and only one may be given');
  return {
    names: name === "" ? names : [name],
    action: rule.field("action").oneOf(SECCOMP_ACTIONS),
    ...given("errnoRet", rule.optional("errnoRet")?.errno()),
    ...given("args", rule.list("args", readArgument)),
    ...given("includes", readSubject(rule.optional("includes"))),
    ...given("excludes", readSubject(rule.optional("excludes"))),
  };
}

function readArgument(argument: Value): SeccompArgument {
  return {
    index: argument.field("index").whole(5),
    value: argument.field("value").whole(),
    ...given("valueTwo", argument.optional("valueTwo")?.whole()),
    op: argument.field("op").oneOf(SECCOMP_COMPARISONS),
  };
}

function readSubject(subject: Value | undefined): SeccompSubject | undefined {
  if (subject === undefined) return undefined;
  return {
    ...given(
      "caps",
      subject.list("caps", (value) => value.text()),
    ),
    ...given(
      "arches",
      subject.list("arches", (value) => value.text()),
    ),
    ...given("minKernel", subject.optional("minKernel")?.version()),
  };
}

function given<Name extends string, Value>(name: Name, value: Value | undefined): { readonly [Key in Name]?: Value } {
  // The one field that the type names.
  return (value === undefined ? {} : { [name]: value }) as { readonly [Key in Name]?: Value };
}

/** A value of the document, at a place: "syscalls[3].args[0].op". */
class Value {
  readonly #value: unknown;
  readonly #place: string;
  readonly #refuse: (what: string) => TsbuildError;

  constructor(value: unknown, place: string, refuse: (what: string) => TsbuildError) {
    this.#value = value;
    this.#place = place;
    this.#refuse = refuse;
  }

  refuse(what: string): TsbuildError {
    return this.#refuse(this.#place === "" ? what : `${this.#place}: ${what}`);
  }

  field(name: string): Value {
    const place = this.#place === "" ? name : `${this.#place}.${name}`;
    if (typeof this.#value !== "object" || this.#value === null || Array.isArray(this.#value)) throw this.refuse("is no object");
    const own = Object.entries(this.#value).find(([key]) => key === name)?.[1];
    return new Value(own, place, this.#refuse);
  }

  /** Undefined where it is missing, or null. */
  optional(name: string): Value | undefined {
    const value = this.field(name);
    return value.#value === undefined || value.#value === null ? undefined : value;
  }

  list<T>(name: string, read: (value: Value) => T): readonly T[] | undefined {
    const value = this.optional(name);
    if (value === undefined) return undefined;
    const all = value.#value;
    if (!Array.isArray(all)) throw value.refuse("is no list");
    return all.map((each, i) => read(new Value(each, `${value.#place}[${i}]`, this.#refuse)));
  }

  text(): string {
    if (typeof this.#value !== "string") throw this.refuse("is no text");
    return this.#value;
  }

  oneOf<Name extends string>(table: Readonly<Record<Name, unknown>>): Name {
    const text = this.text();
    if (Object.hasOwn(table, text)) return text as Name;
    throw this.refuse(`${JSON.stringify(text.slice(0, 80))} is not one of ${Object.keys(table).join(", ")}`);
  }

  whole(max: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.#value;
    if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= max) return value;
    throw this.refuse(`is no whole number from 0 to ${max}`);
  }

  errno(): number {
    // MAX_ERRNO of the kernel.
    return this.whole(4095);
  }

  version(): string {
    const text = this.text();
    if (!/^\d{1,4}\.\d{1,4}$/.test(text)) throw this.refuse(`${JSON.stringify(text.slice(0, 80))} is no version of a kernel like 4.8`);
    return text;
  }
}
