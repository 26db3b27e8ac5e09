import type { TransferEvent } from "../../store/registry/transfer-event.ts";
import type { SourceRange } from "../dockerfile/instruction.ts";

/** What one step used, where the kernel could say. */
export interface StepUsage {
  readonly wallMs: number;
  /** User and system time of all processes of the step, milliseconds. */
  readonly cpuMs?: number;
  /** Peak memory of the step's cgroup; where it has none, of its largest process. */
  readonly peakMemoryBytes?: number;
  readonly peakMemoryOf?: "all" | "largest";
  readonly readBytes?: number;
  readonly writtenBytes?: number;
  /** Most processes and threads at a time; absent where no cgroup counts them. */
  readonly peakPids?: number;
  /** What the step could reach: everything that the host can, only what is outside of the host, or nothing. */
  readonly network?: "host" | "isolated" | "none";
}

/** One row of the progress display. */
export interface StepInfo {
  /** Unique in one build; counts from 1 in Dockerfile order. */
  readonly id: number;
  /** "stage-1", "builder"; absent in a build of one unnamed stage. */
  readonly stage?: string;
  /** "linux/arm64": which of several platforms the step is needed for; absent in a build for one. */
  readonly platform?: string;
  /** "[builder 2/5] RUN npm ci", of several platforms "[linux/arm64 builder 2/5] RUN npm ci": ready to print. */
  readonly title: string;
  readonly range: SourceRange;
}

/** What a build tells while it goes on. Events of one step come in order; steps run in parallel. */
export type BuildEvent =
  | { readonly type: "plan"; readonly steps: readonly StepInfo[] }
  | { readonly type: "step-start"; readonly step: number; readonly atMs: number }
  | { readonly type: "step-output"; readonly step: number; readonly stream: "stdout" | "stderr"; readonly chunk: Uint8Array }
  /** How far a long step without output is, e.g. bytes packed. */
  | { readonly type: "step-progress"; readonly step: number; readonly message: string }
  | {
      readonly type: "step-end";
      readonly step: number;
      readonly outcome: "done" | "cached" | "failed" | "cancelled";
      readonly atMs: number;
      readonly usage?: StepUsage;
      /** One line about the result, e.g. "same content as before: later steps stay cached". */
      readonly note?: string;
    }
  /** Said once a build: which sandbox rung, a limit that could not be set, an argument nobody used. */
  | {
      readonly type: "note";
      readonly message: string;
      /** It says how the build goes on, and nothing of what comes of it or of what its steps can reach. */
      readonly passing?: true;
    }
  /** `rule`: which check says so. */
  | { readonly type: "warning"; readonly message: string; readonly range?: SourceRange; readonly rule?: string }
  /** What comes from registries and goes to them. */
  | TransferEvent
  | {
      /** The result: in the store under `names`, in registries as `pushed`. */
      readonly type: "image";
      /** Of an image for several platforms the digest of its index. */
      readonly imageId: string;
      /** Absent: only files were written. */
      readonly manifestDigest?: string;
      readonly names: readonly string[];
      /** "docker.io/library/app:latest@sha256:…". */
      readonly pushed: readonly string[];
      readonly sizeBytes: number;
      /** "linux/arm64": of several platforms all, in the order of the index. */
      readonly platforms?: readonly string[];
    };

/** Hears sentences beside the result; `passing` as in the event. */
export type NoteSink = (message: string, passing?: "passing") => void;

export type EventSink = (event: BuildEvent) => void;
