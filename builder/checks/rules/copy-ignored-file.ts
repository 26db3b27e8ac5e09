import { posix } from "node:path";
import { bytesOf } from "../../../runtime-addon/index.ts";
import { type IgnoreRules, parseIgnoreFile } from "../../context/ignore.ts";
import { tolerant } from "../checked-file.ts";
import type { Rule } from "../rule.ts";
import { at, quoted } from "../rule.ts";

/** A name that only patterns that match every name match. */
const anyName = "\u0001any\u0001";

/** The rule for the context's ignore file; undefined: there is none. One that cannot be read ends a build before this. */
export function copyIgnoredFile(file: { readonly file: string; readonly text: string } | undefined): Rule {
  const rules = file === undefined ? undefined : tolerant(() => parseIgnoreFile(file.text, file.file));
  const hasExceptions = /^\s*!/m.test(file?.text ?? "");
  return {
    name: "CopyIgnoredFile",
    description: "Attempting to Copy file that is excluded by .dockerignore",
    page: {
      why: "What the ignore file excludes is not in the build context, and an instruction that copies it fails.",
      bad: "# .dockerignore: */tmp/*\nFROM scratch\nCOPY ./a/tmp/helloworld.txt /helloworld.txt",
      good: "# .dockerignore: */tmp/*\nFROM scratch\nCOPY ./a/helloworld.txt /helloworld.txt",
    },
    *step({ instruction, expand }) {
      const { keyword } = instruction;
      if (rules === undefined || (keyword !== "COPY" && keyword !== "ADD") || instruction.flags.from !== undefined) return;
      for (const source of instruction.sources) {
        const word = source.kind === "path" ? expand(source.path)?.text : undefined;
        if (word === undefined || isRemote(word)) continue;
        const path = posix.normalize(`/${word}`).replace(/^\/+|\/+$/g, "");
        if (!isExcluded(rules, hasExceptions, path)) continue;
        const shownPath = posix.normalize(word).replace(/(?<=.)\/+$/, "");
        yield at(
          instruction,
          `Attempting to ${keyword === "COPY" ? "Copy" : "Add"} file ${quoted(shownPath)} that is excluded by .dockerignore`,
        );
      }
    },
  };
}

/** What a later rule may take in again below is not called excluded: something of it may be there. */
function isExcluded(rules: IgnoreRules, hasExceptions: boolean, path: string): boolean {
  const asked = bytesOf(path === "" ? anyName : path);
  return rules.excludes(asked) && (path === "" ? !hasExceptions : !rules.mayReincludeBelow(asked));
}

/** URLs and git repositories do not come from the context. */
function isRemote(word: string): boolean {
  return /^(https?|git|ssh):\/\//.test(word) || /^[\w.-]+@[\w.-]+:/.test(word) || word.startsWith("github.com/");
}
