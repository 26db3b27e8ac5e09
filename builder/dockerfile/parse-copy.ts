import { blankSeparated, type Token } from "./arguments.ts";
import { Fault } from "./fault.ts";
import type { FlagKind } from "./flags.ts";
import { heredocWord } from "./heredoc.ts";
import type { Copy, CopyFlags, CopySource, Heredoc } from "./instruction.ts";
import { stringArray } from "./json-form.ts";
import { flagsOf, missing, type Parsed, type Written } from "./written.ts";

const common = { chown: "text", chmod: "text", link: "bool", exclude: "list" } as const;
const known: Readonly<Record<"COPY" | "ADD", Readonly<Record<string, FlagKind>>>> = {
  COPY: { from: "text", ...common, parents: "bool" },
  ADD: { ...common, checksum: "text", "keep-git-dir": "bool", unpack: "bool" },
};

export function parseCopy(written: Written, keyword: "COPY" | "ADD"): Parsed<Copy> {
  const given = flagsOf(written, known[keyword]);
  const exclude = given.list("exclude");
  const flags: CopyFlags = defined({
    // Empty is not given, as for BuildKit.
    from: given.text("from") || undefined,
    chown: given.text("chown"),
    chmod: given.text("chmod"),
    link: given.bool("link"),
    parents: given.bool("parents"),
    exclude: exclude.length === 0 ? undefined : exclude,
    checksum: given.text("checksum"),
    keepGitDir: given.bool("keep-git-dir"),
    unpack: given.bool("unpack"),
  });
  const list = stringArray(written.rest, written.at);
  // Elements of a JSON array have no offsets of their own: an error marks the array.
  const whole = { from: written.at, to: written.line.text.length };
  const words: readonly Token[] = list?.map((text) => ({ text, ...whole })) ?? blankSeparated(written.line.text, written.at);
  const target = words.at(-1);
  if (target === undefined || words.length < 2) {
    throw missing(written, `${keyword} needs at least one source and a destination`, `write ${keyword} SOURCE… DESTINATION`);
  }
  if (list === undefined && heredocWord(target.text, false) !== undefined) {
    throw new Fault("INVALID_HEREDOC", `${keyword} cannot have a heredoc as its destination`, target.from, target.to, {
      hint: `write ${keyword} ${target.text} DESTINATION`,
    });
  }
  const bodies = new Map(written.line.heredocs.map((heredoc) => [heredoc.name, heredoc]));
  const sources = words.slice(0, -1).map(({ text }): CopySource => {
    const heredoc = list === undefined ? bodyOf(text, bodies) : undefined;
    return heredoc === undefined ? { kind: "path", path: text } : { kind: "heredoc", heredoc };
  });
  return { keyword, flags, sources, target: target.text };
}

function bodyOf(word: string, bodies: ReadonlyMap<string, Heredoc>): Heredoc | undefined {
  const opening = heredocWord(word, false);
  return opening === undefined ? undefined : bodies.get(opening.name);
}

function defined(flags: { [K in keyof CopyFlags]: CopyFlags[K] | undefined }): CopyFlags {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
}
