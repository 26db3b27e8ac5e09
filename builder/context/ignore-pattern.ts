import { type CharacterClass, checkPattern, inClass, parseClass } from "./pattern.ts";

type Unit =
  | { readonly kind: "char"; readonly char: string }
  /** One character but `/`. */
  | { readonly kind: "any" }
  | CharacterClass
  /** Any run without `/`. */
  | { readonly kind: "star" }
  /** Any run. */
  | { readonly kind: "all" }
  /** Nothing, or any run that ends in `/`. */
  | { readonly kind: "directories" };

/** A compiled pattern of an ignore file, without its `!`. Paths are in the form that `pathText` gives. */
export interface IgnorePattern {
  /** Whether it matches the whole path; parents are the caller's matter. */
  matches(path: string): boolean;
  /** Whether it could match some path below this directory. */
  mayMatchBelow(directory: string): boolean;
}

/**
 * Compiles a cleaned pattern with the meaning of moby/patternmatcher: anchored at the root; `*` and `?` stay within one name;
 * `**` and `**` + `/` are any number of directories, at the end everything below; `[…]` is a class; `\` an escape. As there,
 * `**` directly before literal text at the start matches any path that ends in that text. Throws INVALID_PATTERN.
 */
export function compileIgnorePattern(pattern: string): IgnorePattern {
  checkPattern(pattern);
  const units = parseUnits(pattern);
  const firstWild = units.findIndex((unit) => unit.kind !== "char");
  const lastWild = units.findLastIndex((unit) => unit.kind !== "char");
  const prefix = literal(firstWild < 0 ? units : units.slice(0, firstWild));
  if (firstWild < 0) {
    return { matches: (path) => path === prefix, mayMatchBelow: (directory) => prefix.startsWith(`${directory}/`) };
  }
  const suffix = literal(units.slice(lastWild + 1));
  const wild = units.slice(firstWild, lastWild + 1);
  const fits = wildMatcher(wild);
  return {
    matches(path) {
      if (path.length < prefix.length + suffix.length || !path.startsWith(prefix) || !path.endsWith(suffix)) return false;
      return fits(path.slice(prefix.length, path.length - suffix.length));
    },
    mayMatchBelow(directory) {
      const start = `${directory}/`;
      return start.length <= prefix.length ? prefix.startsWith(start) : start.startsWith(prefix) && simulate(units, start).isAlive;
    },
  };
}

function literal(units: readonly Unit[]): string {
  return units.map((unit) => (unit.kind === "char" ? unit.char : "")).join("");
}

function parseUnits(pattern: string): readonly Unit[] {
  const chars = [...pattern];
  const units: Unit[] = [];
  for (let at = 0; at < chars.length; ) {
    const char = chars[at] as string;
    if (char === "*" && chars[at + 1] === "*") {
      const isFirst = at === 0;
      at += 2;
      const hasSlash = chars[at] === "/";
      if (hasSlash) at++;
      const isLiteralSuffix = isFirst && !hasSlash && !/[*?[\]\\]/.test(pattern.slice(2));
      units.push({ kind: at === chars.length || isLiteralSuffix ? "all" : "directories" });
    } else if (char === "*") {
      units.push({ kind: "star" });
      at++;
    } else if (char === "?") {
      units.push({ kind: "any" });
      at++;
    } else if (char === "[") {
      const { unit, next } = parseClass(chars, at, pattern);
      units.push(unit);
      at = next;
    } else {
      const isEscape = char === "\\";
      units.push({ kind: "char", char: (isEscape ? chars[at + 1] : char) ?? "" });
      at += isEscape ? 2 : 1;
    }
  }
  return units;
}

/** Most patterns have one wildcard, and then the text between their literal ends decides at a glance. */
function wildMatcher(wild: readonly Unit[]): (text: string) => boolean {
  const [only, second] = wild;
  if (second === undefined) {
    if (only?.kind === "all") return () => true;
    if (only?.kind === "star") return (text) => !text.includes("/");
    if (only?.kind === "directories") return (text) => text === "" || text.endsWith("/");
  }
  // Text between the wildcards must be there whatever they match, and seldom is.
  const between = literalRuns(wild);
  return (text) => between.every((run) => text.includes(run)) && simulate(wild, text).isMatch;
}

/** The longest pieces without a wildcard. */
function literalRuns(units: readonly Unit[]): readonly string[] {
  const runs: string[] = [];
  let isOpen = false;
  for (const unit of units) {
    if (unit.kind === "char") runs.push(isOpen ? `${runs.pop()}${unit.char}` : unit.char);
    isOpen = unit.kind === "char";
  }
  return runs;
}

/**
 * Walks all ways to match at once, character by character, so that no pattern makes it slow. State i means that the units before i
 * have matched; a "directories" unit that has begun and not ended is kept in a set of its own.
 */
function simulate(units: readonly Unit[], text: string): { isMatch: boolean; isAlive: boolean } {
  let states = new Uint8Array(units.length + 1);
  let inside = new Uint8Array(units.length + 1);
  enter(units, states, 0);
  for (const char of text) {
    const nextStates = new Uint8Array(units.length + 1);
    const nextInside = new Uint8Array(units.length + 1);
    for (let i = 0; i < units.length; i++) {
      if (!states[i] && !inside[i]) continue;
      const unit = units[i] as Unit;
      if (unit.kind === "directories") {
        nextInside[i] = 1;
        if (char === "/") enter(units, nextStates, i + 1);
      } else if (unit.kind === "all" || (unit.kind === "star" && char !== "/")) enter(units, nextStates, i);
      else if (unit.kind !== "star" && accepts(unit, char)) enter(units, nextStates, i + 1);
    }
    states = nextStates;
    inside = nextInside;
  }
  return { isMatch: states[units.length] === 1, isAlive: states.includes(1) || inside.includes(1) };
}

/** Marks a state, and those that follow it without a character. */
function enter(units: readonly Unit[], states: Uint8Array, from: number): void {
  for (let i = from; states[i] === 0; i++) {
    states[i] = 1;
    const kind = units[i]?.kind;
    if (kind !== "star" && kind !== "all" && kind !== "directories") return;
  }
}

function accepts(unit: Extract<Unit, { kind: "char" | "any" | "class" }>, char: string): boolean {
  return unit.kind === "char" ? unit.char === char : unit.kind === "any" ? char !== "/" : inClass(unit, char);
}
