import { allInstructions } from "../comments.ts";
import type { Rule } from "../rule.ts";
import { at, shown } from "../rule.ts";

export const invalidDefinitionDescription: Rule = {
  name: "InvalidDefinitionDescription",
  description:
    "Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not intended to be a description comment, add an empty line or comment between the instruction and the comment.",
  experimental: true,
  page: {
    why: "A comment right above ARG or FROM that begins with the name describes it: --call=outline and --call=targets show it. Another comment in that place is probably a description that went wrong.",
    bad: "# a non-descriptive comment\nFROM scratch AS base\n\n# this is the version\nARG VERSION=1",
    good: "# base is a stage for compiling source\nFROM scratch AS base\n\n# VERSION is the version number\nARG VERSION=1",
  },
  *file({ dockerfile, comments }) {
    for (const instruction of allInstructions(dockerfile)) {
      const { keyword } = instruction;
      if (keyword !== "ARG" && keyword !== "FROM") continue;
      const { texts, isAdjacent } = comments(instruction);
      const last = texts.at(-1);
      if (last === undefined || !isAdjacent || /^check\s*=/i.test(last)) continue;
      const stage = keyword === "FROM" ? instruction.stage?.toLowerCase() : undefined;
      const names = keyword === "ARG" ? instruction.args.map(({ name }) => name) : stage === undefined ? [] : [stage];
      const [example] = names;
      if (example === undefined || names.includes(last.split(" ", 1)[0] ?? "")) continue;
      const name = names.length > 1 ? "<arg_key>" : shown(example);
      yield at(instruction, `Comment for ${keyword} should follow the format: \`# ${name} <description>\``);
    }
  },
};
