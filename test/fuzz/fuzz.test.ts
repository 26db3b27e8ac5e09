import { describe, expect, it } from "vitest";
import found from "./found.json" with { type: "json" };
import { knownFamilies, runFamily, runGrowthSeed } from "./growth.ts";
import { stepCounter } from "./step-count.ts";
import { runSeed, subjects } from "./subjects.ts";

const seeds = 4000;
const growthSeeds = 60;

describe.each(subjects.map((subject) => [subject.name, subject] as const))("random inputs: %s", (name, subject) => {
  it(`${seeds} neither crash nor contradict the reference, and 3 of 10 are well-formed`, () => {
    let wellFormed = 0;
    for (let seed = 0; seed < seeds; seed++) if (runSeed(subject, seed)) wellFormed++;
    expect(wellFormed).toBeGreaterThanOrEqual(0.3 * seeds);
  });

  it.each(found[name as keyof typeof found].map((seed) => [seed]))("seed %i, which once failed, does not", (seed) => {
    runSeed(subject, seed);
  });
});

describe("work", () => {
  it("grows with the input and not faster", () => {
    const counter = stepCounter();
    try {
      for (let seed = 0; seed < growthSeeds; seed++) runGrowthSeed(counter, seed);
      for (const seed of found.growth) runGrowthSeed(counter, seed);
    } finally {
      counter.close();
    }
  });

  it.each(knownFamilies.map((family) => [family.name, family.piece, family] as const))(
    "%s: %j grows no faster",
    (_name, _piece, family) => {
      const counter = stepCounter();
      try {
        runFamily(counter, family);
      } finally {
        counter.close();
      }
    },
  );
});
