import type { Digest } from "../../store/digest.ts";
import type { LayerRef } from "../../store/open-rootfs.ts";
import type { RunMount } from "../plan/operation.ts";

export type BindMount = Extract<RunMount, { type: "bind" }>;

/** What a bind mount shows: a path in a stack of layers. */
export interface BindDirectories {
  /** Bottom first; in the store. */
  readonly layers: readonly LayerRef[];
  /** Absolute in them; symlinks on the way are followed as if the stack were "/". */
  readonly source: string;
  /** Whether that is anything but a directory. */
  readonly isFile: boolean;
}

/** One bind mount's source, looked at only as far as somebody asks. */
export interface BindInput {
  /** Names what the mount shows: no times; equal content has one digest, wherever it comes from. Throws MOUNT_SOURCE_NOT_FOUND. */
  digest(): Promise<Digest>;
  /** The same without making anything; undefined where that content was never mounted, so that no step with it can be cached. */
  known(): Promise<Digest | undefined>;
  /** Throws MOUNT_SOURCE_NOT_FOUND. */
  open(): Promise<BindDirectories>;
}

/** What a RUN reads besides the layers below it. */
export interface RunInputs {
  /** The source of one of its mounts. */
  bind(mount: BindMount): BindInput;
}

/** The bind mounts of a step, in the order in which its key names their digests. */
export function bindsOf(mounts: readonly RunMount[]): readonly BindMount[] {
  return mounts.filter((mount) => mount.type === "bind");
}
