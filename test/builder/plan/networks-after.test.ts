import { describe, expect, it } from "vitest";
import { networksAfter } from "../../../builder/plan/networks-after.ts";
import { type Planning, planned } from "./planned.ts";

/** By the last word of each RUN with a network of its own, how many come after it. */
function after(text: string, options: Planning = {}): Record<string, number> {
  const counts = [...networksAfter(planned(text, options).stages)];
  return Object.fromEntries(counts.map(([operation, count]) => [operation.op === "run" ? operation.args.at(-1) : operation.op, count]));
}

describe("how many networks will be wanted after a step's", () => {
  it.each<[name: string, text: string, counts: Record<string, number>, options?: Planning]>([
    ["none after the last", "FROM i\nRUN a", { a: 0 }],
    ["those of its stage", "FROM i\nRUN a\nCOPY x /\nRUN b\nENV C=1\nRUN c", { a: 2, b: 1, c: 0 }],
    ["not of steps with no network or the host's", "FROM i\nRUN a\nRUN --network=none b\nRUN --network=host c\nRUN d", { a: 1, d: 0 }],
    ["none where the build has the host's network", "FROM i\nRUN a\nRUN b", {}, { network: "host" }],
    ["none where it has none", "FROM i\nRUN a\nRUN b", {}, { hermetic: true }],
    ["those of a stage that stands on it", "FROM i AS one\nRUN a\nFROM one\nRUN b\nRUN c", { a: 2, b: 1, c: 0 }],
    [
      "of several stages that stand on it those of the one with most",
      "FROM i AS one\nRUN a\nFROM one AS two\nRUN b\nFROM one AS three\nRUN c\nRUN d\nFROM scratch\nCOPY --from=two /x /\nCOPY --from=three /y /",
      { a: 2, b: 0, c: 1, d: 0 },
    ],
    [
      "not those of a stage beside it",
      "FROM i AS one\nRUN a\nFROM i AS two\nRUN b\nFROM scratch\nCOPY --from=one /x /\nCOPY --from=two /y /",
      { a: 0, b: 0 },
    ],
  ])("%s", (_name, text, counts, options) => {
    expect(after(text, options)).toEqual(counts);
  });
});
