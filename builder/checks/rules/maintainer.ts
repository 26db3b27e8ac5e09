import { allInstructions } from "../comments.ts";
import type { Rule } from "../rule.ts";
import { at } from "../rule.ts";

export const maintainerDeprecated: Rule = {
  name: "MaintainerDeprecated",
  description: "The MAINTAINER instruction is deprecated, use a label instead to define an image author",
  page: {
    why: "A label says the same, and tools that read images know where to look for it.",
    bad: "MAINTAINER moby@example.com",
    good: 'LABEL org.opencontainers.image.authors="moby@example.com"',
  },
  *file({ dockerfile }) {
    for (const instruction of allInstructions(dockerfile)) {
      if (instruction.keyword === "MAINTAINER") yield at(instruction, "Maintainer instruction is deprecated in favor of using label");
    }
  },
};
