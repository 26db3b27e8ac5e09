import { TsbuildError } from "../../runtime-addon/index.ts";
import { quoted } from "./fault.ts";

/** What `--chmod` does to a mode. */
export interface ModeChange {
  /** The mode, when it was given as a number. */
  readonly octal?: number;
  /** The new permission bits, with setuid, setgid and sticky, of a file that has `mode`. */
  apply(mode: number, isDirectory: boolean): number;
}

const octalLimit = 0o7777;
const setIds = 0o6000;
const sticky = 0o1000;
const whoBits: Readonly<Record<string, number>> = { u: 0o4700, g: 0o2070, o: 0o007, a: 0o6777 };
const classShift: Readonly<Record<string, number>> = { u: 6, g: 3, o: 0 };

interface Clause {
  /** Bits of the classes named; all where none is. No umask plays a part: a build does not depend on its caller's. */
  readonly who: number;
  /** Setuid, setgid and sticky are not for `o` alone. */
  readonly isOtherOnly: boolean;
  readonly operator: string;
  readonly permissions: string;
}

/** Reads an octal mode up to 7777 or a symbolic one as of chmod(1), e.g. `u=rwX,go=rX` or `+x`. Throws INVALID_CHMOD. */
export function parseChmod(text: string): ModeChange {
  if (/^[0-7]+$/.test(text) && text.length <= 16 && Number.parseInt(text, 8) <= octalLimit) {
    const octal = Number.parseInt(text, 8);
    return { octal, apply: () => octal };
  }
  const clauses = text.split(",").map(clausesOf);
  if (clauses.some((found) => found.length === 0)) {
    throw new TsbuildError("INVALID_CHMOD", `reading the mode ${quoted(text)}: expected octal digits up to 7777, or a symbolic mode`, {
      hint: "for example 755, +x or u=rwX,go=rX",
    });
  }
  const all = clauses.flat();
  // X looks at the mode as it was before all clauses (POSIX chmod).
  return {
    apply: (mode, isDirectory) =>
      all.reduce((now, clause) => applyClause(clause, now, isDirectory || (mode & 0o111) !== 0), mode & octalLimit),
  };
}

/** `u+x-w` is one part of two clauses. Empty when the part is malformed. */
function clausesOf(part: string): readonly Clause[] {
  const match = /^([ugoa]*)((?:[-+=][rwxXstugo]*)+)$/.exec(part);
  if (match === null) return [];
  const [, classes = "", actions = ""] = match;
  const who = [...(classes === "" ? "a" : classes)].reduce((bits, letter) => bits | (whoBits[letter] ?? 0), 0);
  const isOtherOnly = /^o+$/.test(classes);
  return (actions.match(/[-+=][rwxXstugo]*/g) ?? []).map((action) => ({
    who,
    isOtherOnly,
    operator: action[0] ?? "",
    permissions: action.slice(1),
  }));
}

function applyClause({ who, isOtherOnly, operator, permissions }: Clause, mode: number, isSearchable: boolean): number {
  let bits = 0;
  let affected = who;
  for (const letter of permissions) {
    const shift = classShift[letter];
    if (shift !== undefined) bits |= ((mode >> shift) & 0o7) * 0o111;
    else if (letter === "r") bits |= 0o444;
    else if (letter === "w") bits |= 0o222;
    else if (letter === "x" || (letter === "X" && isSearchable)) bits |= 0o111;
    else if (letter === "s" && !isOtherOnly) bits |= setIds;
    else if (letter === "t" && !isOtherOnly) {
      bits |= sticky;
      affected |= sticky;
    }
  }
  if (operator === "+") return mode | (bits & affected);
  if (operator === "-") return mode & ~(bits & affected);
  return (mode & ~affected) | (bits & affected);
}
