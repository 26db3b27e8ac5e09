import { TsbuildError } from "../../store/errors.ts";
import { quoted } from "../dockerfile/fault.ts";
import type { From } from "../dockerfile/instruction.ts";
import { parseTrigger } from "../dockerfile/parse-trigger.ts";
import type { CopyOperation } from "./operation.ts";
import type { Trigger } from "./stages.ts";

/** Who carries triggers: as messages call it, and whether it is an image. */
type Owner = Pick<Trigger, "owner" | "ofImage">;

/** Reads the triggers that a base carries; FROM is where what is wrong with them shows. Throws INVALID_ONBUILD, and what is wrong with an instruction, with the trigger's text. */
export function readTriggers(texts: readonly string[], { owner, ofImage }: Owner, from: From): readonly Trigger[] {
  return texts.map((text) => ({ instruction: told(text, owner, () => parseTrigger(text, from)), owner, ofImage }));
}

/** The same for a trigger of an image: that the repositories are named is no word of the user's. */
export function namedByImage(operation: CopyOperation): CopyOperation {
  return { ...operation, words: operation.words.map((word) => (word.kind === "git" ? { ...word, byImage: true } : word)) };
}

/** Runs `body` for a trigger: what it throws tells of it. */
export function inTrigger<T>({ instruction, owner }: Trigger, body: () => T): T {
  return told(instruction.source, owner, body);
}

function told<T>(text: string, owner: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    throw new TsbuildError(error.code, `running the trigger ${quoted(text)} of ${owner}: ${error.message}`, {
      cause: error,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
}
