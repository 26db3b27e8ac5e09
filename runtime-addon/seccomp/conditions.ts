import { BPF, give, type Instruction, load, SECCOMP_DATA } from "./instructions.ts";

/** A comparison of one argument, without sign. */
export interface Condition {
  readonly index: number;
  readonly op: Comparison;
  readonly value: bigint;
  /** Of "masked": what the bits of `value` must be. */
  readonly wanted: bigint;
}

export type Comparison = "==" | "!=" | "<" | "<=" | ">=" | ">" | "masked";

/** Gives the verdict where all conditions hold; otherwise goes on with what follows. */
export function giveWhen(conditions: readonly Condition[], verdict: number): Instruction[] {
  const code: Instruction[] = [give(verdict)];
  // Backwards: a condition that does not hold jumps over all that comes after it.
  for (const condition of [...conditions].reverse()) code.unshift(...check(condition, code.length));
  return code;
}

/** Goes on where the condition holds, else `over` instructions further. BPF's words are halves of an argument. */
function check({ index, op, value, wanted }: Condition, over: number): Instruction[] {
  const offset = SECCOMP_DATA.arguments + 8 * index;
  const low = load(offset);
  const high = load(offset + 4);
  const [lowValue, highValue] = halves(value);
  switch (op) {
    case "==":
      return [high, [BPF.jumpEqual, 0, 2 + over, highValue], low, [BPF.jumpEqual, 0, over, lowValue]];
    case "!=":
      return [high, [BPF.jumpEqual, 0, 2, highValue], low, [BPF.jumpEqual, over, 0, lowValue]];
    case ">=":
    case ">": {
      const jump = op === ">" ? BPF.jumpGreater : BPF.jumpGreaterOrEqual;
      return [high, [BPF.jumpGreater, 3, 0, highValue], [BPF.jumpEqual, 0, 2 + over, highValue], low, [jump, 0, over, lowValue]];
    }
    case "<":
    case "<=": {
      const jump = op === "<=" ? BPF.jumpGreater : BPF.jumpGreaterOrEqual;
      return [high, [BPF.jumpGreater, 3 + over, 0, highValue], [BPF.jumpEqual, 0, 2, highValue], low, [jump, over, 0, lowValue]];
    }
    case "masked": {
      const [lowWanted, highWanted] = halves(wanted);
      return [
        ...[high, [BPF.and, 0, 0, highValue] as const, [BPF.jumpEqual, 0, 3 + over, highWanted] as const],
        ...[low, [BPF.and, 0, 0, lowValue] as const, [BPF.jumpEqual, 0, over, lowWanted] as const],
      ];
    }
  }
}

function halves(value: bigint): readonly [low: number, high: number] {
  return [Number(value & 0xffffffffn), Number(value >> 32n)];
}
