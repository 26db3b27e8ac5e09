import type { Writable } from "node:stream";

/** Where a command prints to. */
export interface Output {
  write(text: string): void;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

/** What a command may touch of the process: tests bring their own. */
export interface CliIo {
  readonly stdin: AsyncIterable<Uint8Array> & {
    readonly isTTY?: boolean;
    /** Of a terminal: keys arrive as they are pressed and are not shown. */
    setRawMode?(raw: boolean): unknown;
  };
  /** Results. */
  readonly stdout: Output;
  /** The same two for much data. */
  readonly stream: (name: "stdout" | "stderr") => Writable;
  /** Progress, notes and errors. */
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** Takes signals over from `signal`: they go to this function instead. */
  readonly takeSignals: (deliver: (signal: NodeJS.Signals) => void) => void;
}
