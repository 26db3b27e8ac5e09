import type { Digest } from "../digest.ts";

/**
 * What happens to one blob or manifest between here and a registry. `start` comes first, one of `done`, `present`, `mounted`, `failed` last. `progress` comes at most
 * some ten times a second; its `doneBytes` may go down when a transfer has to begin again.
 */
export interface TransferEvent {
  readonly type: "transfer";
  readonly direction: "pull" | "push";
  readonly what: "manifest" | "config" | "layer";
  readonly digest: Digest;
  /** "docker.io/library/debian". */
  readonly repository: string;
  readonly state: "start" | "progress" | "retry" | "done" | "present" | "mounted" | "failed";
  readonly doneBytes: number;
  readonly sizeBytes: number;
  /** Of a retry or a failure. */
  readonly message?: string;
}

export type TransferSink = (event: TransferEvent) => void;
