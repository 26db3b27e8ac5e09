import type { Difference } from "./cases.ts";
import type { FlatImage } from "./flat-image.ts";

export interface FoundDifference {
  readonly field: string;
  readonly ours: unknown;
  readonly theirs: unknown;
}

/** Fields that two images do not have in common. */
export function differences(ours: FlatImage, theirs: FlatImage): readonly FoundDifference[] {
  const fields = [...new Set([...ours.keys(), ...theirs.keys()])].sort();
  return fields
    .filter((field) => ours.get(field) !== theirs.get(field))
    .map((field) => ({ field, ours: fieldOf(ours, field), theirs: fieldOf(theirs, field) }));
}

/** Whether a difference is the accepted one. */
export function isAccepted(row: Difference, found: FoundDifference): boolean {
  return row.field === found.field && isSame(row.ours, found.ours) && isSame(row.theirs, found.theirs);
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function fieldOf(image: FlatImage, field: string): unknown {
  const text = image.get(field);
  return text === undefined ? null : JSON.parse(text);
}
