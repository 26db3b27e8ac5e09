import { quotedWords } from "../../dockerfile/key-values.ts";
import type { Rule } from "../rule.ts";
import { at } from "../rule.ts";
import { argumentsAt, writtenKeyword } from "../written-words.ts";

export const legacyKeyValueFormat: Rule = {
  name: "LegacyKeyValueFormat",
  description: "Legacy key/value format with whitespace separator should not be used",
  page: {
    why: "ENV and LABEL without an equals sign take the rest of the line as one value. It reads as if it were several, and only one pair fits into an instruction.",
    bad: "FROM alpine\nENV DIR /my/dir\nLABEL maintainer me",
    good: "FROM alpine\nENV DIR=/my/dir\nLABEL maintainer=me",
  },
  *step({ instruction, sources }) {
    if (instruction.keyword !== "ENV" && instruction.keyword !== "LABEL") return;
    const [first] = quotedWords(instruction.text, argumentsAt(instruction), sources.escape);
    if (first === undefined || first.text.includes("=")) return;
    const keyword = writtenKeyword(instruction);
    yield at(instruction, `"${keyword} key=value" should be used instead of legacy "${keyword} key value" format`);
  },
};
