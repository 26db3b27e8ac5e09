/** One instruction of classic BPF (linux/filter.h): operation, distances to jump when true and when not, operand. */
export type Instruction = readonly [code: number, whenTrue: number, whenFalse: number, operand: number];

/** linux/bpf_common.h: what a filter of system calls may use (seccomp(2)). */
export const BPF = {
  load: 0x20,
  and: 0x54,
  jump: 0x05,
  jumpEqual: 0x15,
  jumpGreater: 0x25,
  jumpGreaterOrEqual: 0x35,
  give: 0x06,
} as const;

/** Where struct seccomp_data (linux/seccomp.h) has what, on little-endian processors. */
export const SECCOMP_DATA = { number: 0, architecture: 4, arguments: 16 } as const;

/** BPF_MAXINSNS */
export const MAX_INSTRUCTIONS = 4096;

const BYTES_EACH = 8;
const FARTHEST_BRANCH = 255;

export const load = (offset: number): Instruction => [BPF.load, 0, 0, offset];

export const give = (verdict: number): Instruction => [BPF.give, 0, 0, verdict];

/** `yes` where the loaded number is at least `limit`, else `no`. Both must end by themselves. */
export function branch(limit: number, no: readonly Instruction[], yes: readonly Instruction[]): Instruction[] {
  if (no.length <= FARTHEST_BRANCH) return [[BPF.jumpGreaterOrEqual, no.length, 0, limit], ...no, ...yes];
  return [[BPF.jumpGreaterOrEqual, 0, 1, limit], [BPF.jump, 0, 0, no.length], ...no, ...yes];
}

/** `yes`, which must end by itself, where the loaded number is `value`; else what follows. */
export function whenEqual(value: number, yes: readonly Instruction[]): Instruction[] {
  return [[BPF.jumpEqual, 1, 0, value], [BPF.jump, 0, 0, yes.length], ...yes];
}

/** As struct sock_filter has them. */
export function encode(instructions: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(instructions.length * BYTES_EACH);
  instructions.forEach(([code, whenTrue, whenFalse, operand], i) => {
    const at = i * BYTES_EACH;
    bytes.writeUInt16LE(code, at);
    bytes.writeUInt8(whenTrue, at + 2);
    bytes.writeUInt8(whenFalse, at + 3);
    bytes.writeUInt32LE(operand, at + 4);
  });
  return bytes;
}
