import type { FlagTable } from "./flags.ts";

/** On every command that lists. */
export const formatFlags = {
  format: { value: "FORMAT", choices: ["table", "json"], help: "How to print (table)" },
} as const satisfies FlagTable;

/** JSON as printed by every command. */
export function formatJson(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
