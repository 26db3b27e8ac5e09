import { parseReference } from "../../../store/reference.ts";
import { expansionOf } from "../../dockerfile/words.ts";
import { tolerant } from "../checked-file.ts";
import type { Rule } from "../rule.ts";
import { at, shown } from "../rule.ts";

export const undefinedArgInFrom: Rule = {
  name: "UndefinedArgInFrom",
  description: "FROM command must use declared ARGs",
  page: {
    why: "FROM sees the ARGs that stand before the first FROM, and the platform arguments. Any other variable is empty there, most often because its name is misspelt.",
    bad: "FROM node:22${VARIANT} AS jsbuilder",
    good: 'ARG VARIANT="-alpine3.20"\nFROM node:22${VARIANT} AS jsbuilder',
  },
  *file({ froms, globals, suggest }) {
    const known = new Set([...globals.args.keys(), ...globals.variables.keys()]);
    for (const { stage, image, platform } of froms) {
      const unset = new Set([...(image?.unset ?? []), ...(platform?.unset ?? [])]);
      for (const name of unset) {
        if (known.has(name)) continue;
        const near = suggest(name, () => known);
        const suggestion = near === undefined ? "" : ` (did you mean ${near}?)`;
        yield at(stage.from, `FROM argument '${shown(name)}' is not declared${suggestion}`);
      }
    }
  },
};

export const invalidDefaultArgInFrom: Rule = {
  name: "InvalidDefaultArgInFrom",
  description: "Default value for global ARG results in an empty or invalid base image name",
  page: {
    why: "An ARG in the name of a base image should have a default with which the file builds, so that nobody has to know which --build-arg it needs.",
    bad: "ARG TAG\nFROM busybox:${TAG}",
    good: "ARG TAG=latest\nFROM busybox:${TAG}",
  },
  *file({ froms, defaults, dockerfile }) {
    if (defaults === undefined) return;
    for (const { stage } of froms) {
      const { image } = stage.from;
      if (!image.includes("$")) continue;
      const name = tolerant(() => expansionOf(image, (variable) => defaults.variables.get(variable), dockerfile).text);
      if (name === undefined || (name !== "" && tolerant(() => parseReference(name)) !== undefined)) continue;
      yield at(stage.from, `Default value for ARG ${shown(image)} results in empty or invalid base image name`);
    }
  },
};
