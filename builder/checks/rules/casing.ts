import type { Rule } from "../rule.ts";
import { at, shown } from "../rule.ts";
import { asOfFrom, writtenKeyword } from "../written-words.ts";

export const stageNameCasing: Rule = {
  name: "StageNameCasing",
  description: "Stage names should be lowercase",
  page: {
    why: "Names of stages are compared without regard to case, and images have lower-case names only. A name in lower case reads the same wherever it is used.",
    bad: "FROM alpine AS BuilderBase",
    good: "FROM alpine AS builder-base",
  },
  *file({ dockerfile }) {
    for (const { from } of dockerfile.stages) {
      if (from.stage === undefined || from.stage === from.stage.toLowerCase()) continue;
      yield at(from, `Stage name '${shown(from.stage)}' should be lowercase`);
    }
  },
};

export const fromAsCasing: Rule = {
  name: "FromAsCasing",
  description: "The 'as' keyword should match the case of the 'from' keyword",
  page: {
    why: "Keywords may be written in upper or lower case. One line that mixes the two is hard to read.",
    bad: "FROM debian:latest as builder",
    good: "FROM debian:latest AS builder",
  },
  *file({ dockerfile }) {
    for (const { from } of dockerfile.stages) {
      const keyword = writtenKeyword(from);
      const as = asOfFrom(from);
      const wanted = as === undefined ? undefined : inCaseOf(keyword, as);
      if (as === undefined || wanted === undefined || as === wanted) continue;
      yield at(from, `'${as}' and '${keyword}' keywords' casing do not match`);
    }
  },
};

/** Undefined where the model mixes the cases itself, which is another rule's matter. */
function inCaseOf(model: string, word: string): string | undefined {
  if (model === model.toLowerCase()) return word.toLowerCase();
  return model === model.toUpperCase() ? word.toUpperCase() : undefined;
}

export const consistentInstructionCasing: Rule = {
  name: "ConsistentInstructionCasing",
  description: "All commands within the Dockerfile should use the same casing (either upper or lower)",
  page: {
    why: "Instructions may be written in upper or lower case. A file that does it one way throughout is easier to read; the way that most of its instructions have is taken as meant.",
    bad: "From alpine\nRun echo hello > /greeting.txt\nEntRYpOiNT cat /greeting.txt",
    good: 'FROM alpine\nRUN echo hello > /greeting.txt\nENTRYPOINT ["cat", "/greeting.txt"]',
  },
  *file({ dockerfile }) {
    const all = dockerfile.stages.flatMap(({ from, instructions }) => [from, ...instructions]);
    const words = all.map((instruction) => ({ instruction, word: writtenKeyword(instruction) }));
    const lower = words.filter(({ word }) => word === word.toLowerCase()).length;
    const upper = words.filter(({ word }) => word === word.toUpperCase()).length;
    const isLower = lower > upper;
    for (const { instruction, word } of words) {
      if (word === (isLower ? word.toLowerCase() : word.toUpperCase())) continue;
      yield at(instruction, `Command '${word}' should match the case of the command majority (${isLower ? "lowercase" : "uppercase"})`);
    }
  },
};
