import type { CommandStatus, ResourceLimits, SandboxFailure, SandboxSpec } from "../../../runtime-addon/index.ts";

/** A sandbox that server.ts shall make. */
export interface SandboxRequest {
  readonly id: number;
  readonly spec: Omit<SandboxSpec, "root" | "userNamespace" | "cgroup">;
  /** On top of the busybox system, topmost first. */
  readonly lowers: readonly string[];
  readonly limits?: ResourceLimits;
  /** Aborts once the standard output holds this text. */
  readonly abort?: { readonly when: string; readonly graceMs?: number };
  /** In a network of its own instead of the spec's, in which the default gateway's address leads to the machine's loopback. */
  readonly isolated?: true;
  /** In the place of tsb-init. */
  readonly initPath?: string;
}

export interface SandboxAnswer {
  readonly id: number;
  /** What the command changed; of a copy, all. */
  readonly upper: string;
  readonly result?: {
    readonly status: CommandStatus;
    readonly usage: { readonly oomKilled: boolean; readonly peakMemoryBytes: number; readonly cpuMs: number };
    readonly created: readonly string[];
    readonly skipped: readonly string[];
    readonly stdout: string;
    readonly stderr: string;
  };
  readonly error?: { readonly name: string; readonly code: string; readonly message: string; readonly failure?: SandboxFailure };
}
