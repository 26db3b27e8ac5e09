import type { Digest } from "../../store/digest.ts";
import type { Rootfs } from "../../store/layer/rootfs.ts";
import type { LayerInfo } from "../../store/layers.ts";
import type { Platform } from "../../store/oci.ts";
import type { LayerRef } from "../../store/open-rootfs.ts";
import type { Store } from "../../store/store.ts";
import type { StepCache } from "../cache/records.ts";
import type { KeyContext } from "../plan/key.ts";
import { rfc3339 } from "../plan/rfc3339.ts";
import type { StepUsage } from "../progress/event.ts";
import type { LayerGate } from "../secrets/layer-gate.ts";

/** The files of a stage after some of its steps. */
export interface Files {
  /** Bottom first. */
  readonly layers: readonly LayerRef[];
  /** Chain of contents: what keys of later steps stand on. */
  readonly chain: Digest;
}

/** What a step did. */
export interface StepOutcome {
  readonly layer: LayerInfo;
  /** RFC 3339: when the step first ran. */
  readonly created: string;
  readonly cached: boolean;
  readonly note?: string;
  /** What there is to say of the instruction, each a line. */
  readonly warnings?: readonly string[];
  readonly usage?: StepUsage;
}

/** What every step needs of the build it is part of. */
export interface StepContext {
  readonly store: Store;
  readonly cache: StepCache;
  readonly platform: Platform;
  /** What the base's config says its programs are for. Absent: the platform. */
  readonly basePlatform?: Platform;
  /** Seconds. */
  readonly epoch?: number;
  /** Whether a record may be used; results are recorded all the same. */
  readonly useCache: boolean;
  readonly signal: AbortSignal;
  /** Stacks the trees of these layers, each read once a build. */
  rootfs(layers: readonly LayerRef[]): Promise<Rootfs>;
  /** Runs work that keeps a processor or a disk busy, at most as many at once as the build may. */
  busy<T>(work: () => Promise<T>): Promise<T>;
  /**
   * Runs work of this key once: whoever wants the same in this build gets the same result, and other processes on the store wait: `onWait` hears it
   * where this one has to. Call it outside of busy(), and look the record up again inside.
   */
  once(key: Digest, work: () => Promise<StepOutcome>, onWait: () => void): Promise<StepOutcome>;
  /** Every new layer goes through it before it is kept. Absent: there is nothing to look for. */
  readonly layerGate?: LayerGate;
  /** The wall clock, milliseconds. */
  now(): number;
}

/** Version of the tar writer as keys hold it. */
export function keyContext(files: Files, context: Pick<StepContext, "platform" | "epoch">, writer: number): KeyContext {
  return { parent: files.chain, platform: context.platform, writer, ...(context.epoch === undefined ? {} : { epoch: context.epoch }) };
}

/** The time that a step made now carries. */
export function createdAt(context: StepContext): string {
  return rfc3339(context.epoch === undefined ? context.now() : context.epoch * 1000);
}
