import type { CheckInput } from "./check-input.ts";
import { checkedFile } from "./checked-file.ts";

/** A stage of the file, built or not. */
export interface ListedStage {
  /** Lower case; absent for an unnamed stage. */
  readonly name?: string;
  /** Image or stage, with variables expanded where that is possible. */
  readonly base: string;
  /** Of FROM --platform. */
  readonly platform?: string;
  /** Keywords in the order of the file, without FROM. */
  readonly instructions: readonly string[];
}

/** All stages of the file. Pure. */
export function listStages(input: CheckInput): readonly ListedStage[] {
  return checkedFile(input).froms.map(({ stage: { from, instructions }, image, platform }) => ({
    ...(from.stage === undefined ? {} : { name: from.stage.toLowerCase() }),
    base: image?.text ?? from.image,
    ...(from.platform === undefined ? {} : { platform: platform?.text ?? from.platform }),
    instructions: instructions.map(({ keyword }) => keyword),
  }));
}
