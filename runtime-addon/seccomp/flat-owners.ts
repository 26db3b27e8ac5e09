import { SandboxError } from "../sandbox-error.ts";

/** System calls of one architecture that give files or the process to other owners (the kernel's syscall tables). */
interface OwnerCalls {
  /** AUDIT_ARCH_* of linux/audit.h, as seccomp_data holds it. */
  readonly audit: number;
  /** chown, fchown, lchown, fchownat and setgroups, with their 32-bit forms where there are two. */
  readonly calls: readonly number[];
}

const X86_64: OwnerCalls = { audit: 0xc000003e, calls: [92, 93, 94, 260, 116] };
const I386: OwnerCalls = { audit: 0x40000003, calls: [182, 95, 16, 212, 207, 198, 298, 81, 206] };
const AARCH64: OwnerCalls = { audit: 0xc00000b7, calls: [55, 54, 159] };
const ARM: OwnerCalls = { audit: 0x40000028, calls: [182, 95, 16, 212, 207, 198, 325, 81, 206] };

/** What a processor runs, by Node's name of it. */
const MACHINES: Readonly<Record<string, readonly OwnerCalls[]>> = { x64: [X86_64, I386], arm64: [AARCH64, ARM] };

// linux/bpf_common.h, linux/seccomp.h.
const LOAD_WORD = 0x20;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;
const ALLOW = 0x7fff0000;
/** The call is not made, and its caller is told that it succeeded. */
const SUCCEED = 0x00050000;
const SYSCALL_NUMBER_AT = 0;
const ARCHITECTURE_AT = 4;

/**
 * A seccomp filter for a user namespace with a single id, where files can belong to nobody else (user_namespaces(7)): changes of a
 * file's owner, and of the process's groups, seem to succeed. Package managers finish that way. The set*id family is left alone: programs read
 * those ids back. An array of sock_filter in this machine's byte order. Throws SandboxError INVALID_SPEC for an unknown architecture.
 */
export function flatOwnersFilter(architecture: string = process.arch): Uint8Array {
  const tables = MACHINES[architecture];
  if (tables === undefined)
    throw new SandboxError("INVALID_SPEC", `planning the sandbox: the system calls of architecture ${architecture} are unknown`);
  const program = tables.flatMap(({ audit, calls }) => [
    instruction(LOAD_WORD, ARCHITECTURE_AT),
    // Past the number, the calls and their two ends.
    instruction(JUMP_IF_EQUAL, audit, 0, calls.length + 3),
    instruction(LOAD_WORD, SYSCALL_NUMBER_AT),
    ...calls.map((number, at) => instruction(JUMP_IF_EQUAL, number, calls.length - at, 0)),
    instruction(RETURN, ALLOW),
    instruction(RETURN, SUCCEED),
  ]);
  return Buffer.concat([...program, instruction(RETURN, ALLOW)]);
}

/** struct sock_filter; jumps count instructions behind the next one. */
function instruction(code: number, operand: number, ifTrue = 0, ifFalse = 0): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(code, 0);
  bytes.writeUInt8(ifTrue, 2);
  bytes.writeUInt8(ifFalse, 3);
  bytes.writeUInt32LE(operand, 4);
  return bytes;
}
