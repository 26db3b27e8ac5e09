import type { Rule } from "../rule.ts";
import { at, quoted } from "../rule.ts";

export const duplicateStageName: Rule = {
  name: "DuplicateStageName",
  description: "Stage names should be unique",
  page: {
    why: "Where two stages have one name, what follows the second can no longer name the first, and --target builds the last.",
    bad: "FROM debian:latest AS builder\nRUN apt-get update\n\nFROM golang:latest AS builder",
    good: "FROM debian:latest AS deb-builder\nRUN apt-get update\n\nFROM golang:latest AS go-builder",
  },
  *file({ dockerfile }) {
    const seen = new Set<string>();
    for (const { from } of dockerfile.stages) {
      const name = from.stage?.toLowerCase();
      if (name === undefined) continue;
      if (seen.has(name)) yield at(from, `Duplicate stage name ${quoted(name)}, stage names should be unique`);
      seen.add(name);
    }
  },
};

const reserved: ReadonlySet<string> = new Set(["context", "scratch"]);

export const reservedStageName: Rule = {
  name: "ReservedStageName",
  description: "Reserved words should not be used as stage names",
  page: {
    why: "scratch means the empty image and context the build context. A stage of such a name cannot be named where the word has its own meaning.",
    bad: "FROM alpine AS scratch",
    good: "FROM alpine AS empty-base",
  },
  *file({ dockerfile }) {
    for (const { from } of dockerfile.stages) {
      const name = from.stage?.toLowerCase();
      if (name === undefined || !reserved.has(name)) continue;
      yield at(from, `Stage name should not use the same name as reserved stage ${quoted(name)}`);
    }
  },
};
