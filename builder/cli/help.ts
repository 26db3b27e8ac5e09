import { type CommandSpec, type Flag, helpFlag } from "./flags.ts";

const maxColumns = 100;

/** The help page of one command. */
export function commandHelp(spec: CommandSpec): string {
  const rows = [...Object.entries(spec.flags), ["help", helpFlag] as const].map(([name, flag]): [string, string] => {
    const short = flag.short !== undefined && !(name === "help" && usesShort(spec, "h")) ? `-${flag.short}, ` : "    ";
    return [`${short}--${name}${valueForm(flag)}`, describe(flag)];
  });
  const lines = [`usage: tsbuild ${spec.name} [options] ${spec.operands}`.trimEnd(), "", spec.summary, "", "options:", ...alignRows(rows)];
  if (spec.examples.length > 0) lines.push("", "examples:", ...spec.examples.map((example) => `  ${example}`));
  return `${lines.join("\n")}\n`;
}

/** Rows of two columns, indented, the second one wrapped. */
export function alignRows(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.min(32, Math.max(...rows.map(([left]) => left.length)));
  const lines: string[] = [];
  for (const [left, right] of rows) {
    const wrapped = wrap(right, maxColumns - width - 4);
    if (left.length > width) lines.push(`  ${left}`);
    wrapped.forEach((text, index) => {
      lines.push(`  ${(index === 0 && left.length <= width ? left : "").padEnd(width)}  ${text}`);
    });
  }
  return lines;
}

function valueForm(flag: Flag): string {
  if (flag.value === undefined) return "";
  const value = flag.choices === undefined ? flag.value : flag.choices.join("|");
  return flag.implied === undefined ? ` ${value}` : `[=${value}]`;
}

function describe(flag: Flag): string {
  return flag.many === true ? `${flag.help}; repeatable` : flag.help;
}

function usesShort(spec: CommandSpec, short: string): boolean {
  return Object.values(spec.flags).some((flag) => flag.short === short);
}

/** Lines of no more than so many characters, broken at blanks. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
