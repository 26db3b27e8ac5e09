import { TsbuildError } from "../../store/errors.ts";
import { quoted } from "../dockerfile/fault.ts";
import type { From } from "../dockerfile/instruction.ts";
import { parseTrigger } from "../dockerfile/parse-trigger.ts";
import type { Trigger } from "./stages.ts";

/** Reads the triggers that a base carries; FROM is where what is wrong with them shows. Throws INVALID_ONBUILD, and what is wrong with an instruction, with the trigger's text. */
export function readTriggers(texts: readonly string[], owner: string, from: From): readonly Trigger[] {
  return texts.map((text) => ({ instruction: told(text, owner, () => parseTrigger(text, from)), owner }));
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
