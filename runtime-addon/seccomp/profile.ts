/** What becomes of a call: a return value of linux/seccomp.h. Those of SCMP_ACT_NOTIFY need a program that is asked, and are not taken. */
export const SECCOMP_ACTIONS = {
  SCMP_ACT_KILL: 0x00000000,
  SCMP_ACT_KILL_THREAD: 0x00000000,
  SCMP_ACT_KILL_PROCESS: 0x80000000,
  SCMP_ACT_TRAP: 0x00030000,
  SCMP_ACT_ERRNO: 0x00050000,
  SCMP_ACT_TRACE: 0x7ff00000,
  SCMP_ACT_LOG: 0x7ffc0000,
  SCMP_ACT_ALLOW: 0x7fff0000,
} as const;

export type SeccompAction = keyof typeof SECCOMP_ACTIONS;

export const SECCOMP_COMPARISONS = {
  SCMP_CMP_NE: "!=",
  SCMP_CMP_LT: "<",
  SCMP_CMP_LE: "<=",
  SCMP_CMP_EQ: "==",
  SCMP_CMP_GE: ">=",
  SCMP_CMP_GT: ">",
  SCMP_CMP_MASKED_EQ: "masked",
} as const;

/** Bits of seccomp(2). That of TSYNC says nothing to a process of one thread. */
export const SECCOMP_FLAGS = {
  SECCOMP_FILTER_FLAG_TSYNC: 0,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
} as const;

/**
 * A seccomp profile in Docker's form (docs.docker.com/engine/security/seccomp), of which OCI's (config-linux.md, "Seccomp") is a part. What a rule
 * says counts where all its conditions on the sandbox (includes, excludes) and on the call's arguments hold.
 */
export interface SeccompProfile {
  /** Of calls that no rule is about. */
  readonly defaultAction: SeccompAction;
  /** 1 (EPERM) where absent. */
  readonly defaultErrnoRet?: number;
  /** SCMP_ARCH_…: the ways to call the kernel that are open besides the processor's own. */
  readonly architectures?: readonly string[];
  /** The same by the processor's own way; the two are not to be used together. */
  readonly archMap?: readonly { readonly architecture: string; readonly subArchitectures: readonly string[] }[];
  /** SPEC_ALLOW alone where absent, as in runc. */
  readonly flags?: readonly (keyof typeof SECCOMP_FLAGS)[];
  readonly syscalls: readonly SeccompRule[];
}

export interface SeccompRule {
  /** Names that no kernel has here are left out. */
  readonly names: readonly string[];
  readonly action: SeccompAction;
  /** For SCMP_ACT_ERRNO and SCMP_ACT_TRACE; 1 (EPERM) where absent. */
  readonly errnoRet?: number;
  /** All must hold; of several about one argument, one. */
  readonly args?: readonly SeccompArgument[];
  readonly includes?: SeccompSubject;
  readonly excludes?: SeccompSubject;
}

/** A comparison of 64 bits, without sign. */
export interface SeccompArgument {
  /** 0 to 5. */
  readonly index: number;
  readonly value: number;
  /** For SCMP_CMP_MASKED_EQ: what the bits of `value` must be; 0 where absent. */
  readonly valueTwo?: number;
  readonly op: keyof typeof SECCOMP_COMPARISONS;
}

/** Conditions on the sandbox. Included are those where all hold; excluded, those where one does. */
export interface SeccompSubject {
  /** "CAP_SYS_ADMIN": in the bounding set. */
  readonly caps?: readonly string[];
  /** As Go names them: "amd64", "arm64". */
  readonly arches?: readonly string[];
  /** "4.8", or newer. */
  readonly minKernel?: string;
}
