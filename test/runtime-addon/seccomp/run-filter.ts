import type { SeccompFilter } from "../../../runtime-addon/seccomp/compile.ts";

/** What a filter is asked about: struct seccomp_data. */
export interface Call {
  readonly audit: number;
  readonly number: number;
  readonly args?: readonly bigint[];
}

/** Runs a filter as the kernel does, and tells how many instructions that took. Throws where the kernel would refuse the program. */
export function runFilter(
  { program }: SeccompFilter,
  { audit, number, args = [] }: Call,
): { readonly verdict: number; readonly steps: number } {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number >>> 0, 0);
  data.writeUInt32LE(audit, 4);
  for (const [i, value] of args.entries()) data.writeBigUInt64LE(value, 16 + 8 * i);
  let loaded = 0;
  for (let at = 0, steps = 1; ; at++, steps++) {
    if (8 * at >= program.length) throw new RangeError(`the program is left at ${at}`);
    const code = program.readUInt16LE(8 * at);
    const whenTrue = program.readUInt8(8 * at + 2);
    const whenFalse = program.readUInt8(8 * at + 3);
    const operand = program.readUInt32LE(8 * at + 4);
    const jump = (holds: boolean): void => {
      at += holds ? whenTrue : whenFalse;
    };
    if (code === 0x06) return { verdict: operand, steps };
    else if (code === 0x20) loaded = data.readUInt32LE(operand);
    else if (code === 0x54) loaded = (loaded & operand) >>> 0;
    else if (code === 0x05) at += operand;
    else if (code === 0x15) jump(loaded === operand);
    else if (code === 0x25) jump(loaded > operand);
    else if (code === 0x35) jump(loaded >= operand);
    else throw new RangeError(`there is no instruction 0x${code.toString(16)}`);
  }
}
