import { harmlessJson } from "../../store/unseen.ts";
import type { Output } from "./cli-io.ts";
import type { FlagTable } from "./flags.ts";

/** On every command that lists. */
export const formatFlags = {
  format: {
    value: "FORMAT",
    choices: ["table", "json"],
    choiceHint: "there are no templates: json has all of it, for jq and the like",
    help: "How to print (table)",
  },
} as const satisfies FlagTable;

/** JSON as printed by every command. */
export function formatJson(value: unknown): string {
  return `${harmlessJson(JSON.stringify(value, undefined, 2))}\n`;
}

/** A list that is printed as it grows, and reads as formatJson's in the end. */
export interface JsonList {
  add(items: readonly unknown[]): void;
  end(): void;
}

export function jsonList(output: Output): JsonList {
  let empty = true;
  return {
    add(items) {
      if (items.length === 0) return;
      const texts = items.map((item) => harmlessJson(JSON.stringify(item, undefined, 2)).replaceAll("\n", "\n  "));
      output.write(`${empty ? "[" : ","}\n  ${texts.join(",\n  ")}`);
      empty = false;
    },
    end() {
      output.write(empty ? "[]\n" : "\n]\n");
    },
  };
}
