/** A link of a page to another file of the project, or to a heading. */
export interface Link {
  readonly line: number;
  /** As it stands there: "../docs/store.md#memory", "#memory". */
  readonly target: string;
}

/** A code span, or a line of a block of commands. */
export interface Code {
  readonly line: number;
  readonly text: string;
}

interface Line {
  readonly line: number;
  readonly text: string;
  /** Language of the block that the line is in; "" of one without a language, undefined outside of blocks. */
  readonly block: string | undefined;
}

/** Lines of a page, without those that begin and end blocks of code. */
function linesOf(markdown: string): Line[] {
  const found: Line[] = [];
  let block: string | undefined;
  for (const [index, text] of markdown.split("\n").entries()) {
    const fence = /^```(\w*)$/.exec(text);
    if (fence === null) found.push({ line: index + 1, text, block });
    else block = block === undefined ? fence[1] : undefined;
  }
  return found;
}

/** Links with a target in the project: no addresses of the web. */
export function linksOf(markdown: string): Link[] {
  return linesOf(markdown)
    .filter(({ block }) => block === undefined)
    .flatMap(({ line, text }) =>
      [...text.replace(/`[^`]*`/g, "code").matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => ({ line, target })),
    )
    .filter(({ target }) => !/^[a-z]+:/.test(target));
}

/** The anchors of a page's headings, as GitHub makes them. */
export function anchorsOf(markdown: string): string[] {
  const seen = new Map<string, number>();
  return linesOf(markdown)
    .filter(({ text, block }) => block === undefined && /^#{1,6} /.test(text))
    .map(({ text }) => {
      const anchor = text
        .replace(/^#+ /, "")
        .toLowerCase()
        .replace(/[^\p{L}\p{N}_ -]/gu, "")
        .replaceAll(" ", "-");
      const before = seen.get(anchor) ?? 0;
      seen.set(anchor, before + 1);
      return before === 0 ? anchor : `${anchor}-${before}`;
    });
}

/** Code spans, and the lines of blocks that have no language: commands. */
export function codeOf(markdown: string): Code[] {
  return linesOf(markdown).flatMap(({ line, text, block }) => {
    if (block === undefined) return [...text.matchAll(/`([^`]+)`/g)].map(([, span = ""]) => ({ line, text: span.replaceAll("\\|", "|") }));
    return block === "" ? [{ line, text }] : [];
  });
}
