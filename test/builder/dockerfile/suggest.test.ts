import { describe, expect, it } from "vitest";
import { firstSuggestions, nearest } from "../../../builder/dockerfile/suggest.ts";
import { random } from "./random.ts";

describe("the nearest candidate", () => {
  it.each<[name: string, word: string, candidates: string[], expected: string | undefined]>([
    ["is one letter more", "HOM", ["PATH", "HOME"], "HOME"],
    ["is two letters fewer", "HOMEEE", ["HOME"], "HOME"],
    ["has two letters swapped", "PAHT", ["HOME", "PATH"], "PATH"],
    ["is the same in other letter case", "home", ["HOM", "HOME"], "HOME"],
    ["is the first of equally near ones", "abcd", ["abce", "abcf"], "abce"],
    ["is none three edits away", "abcdef", ["abcxyz"], undefined],
    ["is none where half of the word would change", "ab", ["xy"], undefined],
    ["is none for one letter", "a", ["b"], undefined],
    ["is none of none", "abc", [], undefined],
  ])("%s", (_name, word, candidates, expected) => {
    expect(nearest(word, candidates)).toBe(expected);
  });

  it("is the one that the whole table of distances gives", () => {
    const draw = random(7);
    const word = () => Array.from({ length: draw(9) }, () => "abc"[draw(3)]).join("");
    for (let i = 0; i < 20_000; i++) {
      const [wanted, candidate] = [word(), word()];
      const most = Math.min(2, Math.floor(wanted.length / 2));
      const expected = distance(wanted, candidate) <= most ? candidate : undefined;
      expect(nearest(wanted, [candidate]), `${wanted} and ${candidate}`).toBe(expected);
    }
  });
});

it("looks for the first hundred words and no more", () => {
  const suggest = firstSuggestions();
  const found = Array.from({ length: 102 }, (_, i) => suggest(`wrod${i}`, () => [`word${i}`]));
  expect(found.slice(98)).toEqual(["word98", "word99", undefined, undefined]);
});

function distance(a: string, b: string): number {
  const table = Array.from({ length: a.length + 1 }, (_, i) =>
    Array.from({ length: b.length + 1 }, (_, j) => (i === 0 ? j : j === 0 ? i : 0)),
  );
  const cell = (i: number, j: number) => table[i]?.[j] ?? 0;
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const edits = [cell(i - 1, j) + 1, cell(i, j - 1) + 1, cell(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1)];
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) edits.push(cell(i - 2, j - 2) + 1);
      (table[i] as number[])[j] = Math.min(...edits);
    }
  }
  return cell(a.length, b.length);
}
