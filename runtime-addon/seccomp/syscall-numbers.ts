import { SYSCALL_TABLES, type SyscallTable } from "./syscall-tables.ts";

const parsed = new Map<SyscallTable, ReadonlyMap<string, number>>();

/** The numbers of a table by name. */
export function syscallNumbers(table: SyscallTable): ReadonlyMap<string, number> {
  const known = parsed.get(table) ?? parse(SYSCALL_TABLES[table]);
  parsed.set(table, known);
  return known;
}

function parse(text: string): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>();
  let next = 0;
  for (const word of text.trim().split(/\s+/)) {
    if (word.startsWith("@")) {
      next = Number(word.slice(1));
      continue;
    }
    for (const name of word.split("|")) numbers.set(name, next);
    next += 1;
  }
  return numbers;
}
