import { describe, it } from "vitest";
import { needs } from "../needs.ts";
import { newBench } from "./build-input.ts";
import { casesOf } from "./case.ts";
import { runRow } from "./run-row.ts";

/** A test for each row of a topic's cases. */
export function testTopic(topic: string): void {
  const bench = newBench();
  const shown = casesOf(topic).filter(({ rows }) => rows.length > 0);
  describe.each(shown.map((one) => [one.id, one] as const))("%s", (_, { statement, rows }) => {
    describe(statement, () => {
      for (const row of rows) {
        const [first, ...others] = row.needs ?? [];
        it(row.name, first === undefined ? {} : needs(first, ...others), () => runRow(row, bench));
      }
    });
  });
}
