import type { ImageLayer } from "../store/images.ts";
import type { Descriptor, ImageConfig } from "../store/oci.ts";
import type { Registry } from "../store/registry/registry.ts";
import type { TransferSink } from "../store/registry/transfer-event.ts";
import type { PullPolicy } from "./options.ts";

/** An image to stand on, to copy from or to run. Its layers need not be in the store yet: the finder's fetcher brings them. */
export interface FoundImage {
  readonly config: ImageConfig;
  /** Bottom first. */
  readonly layers: readonly ImageLayer[];
  /** Of the platform's own manifest. */
  readonly descriptor: Descriptor;
  /** Of a registry's image: "docker.io/library/debian@sha256:…", whatever it was asked by. */
  readonly digestName?: string;
}

/** How images are looked for. */
export interface FinderOptions {
  readonly pull: PullPolicy;
  /** The image layouts that may be read, by the names that planContexts gives them; a Dockerfile alone can name none. Absent: none. */
  readonly layouts?: ReadonlySet<string>;
  /** What becomes of an image that a registry has: it is remembered, and its layers come when they are needed; or it is pulled into the store as a whole. */
  readonly take: "lazily" | "whole";
  /** Opened when a registry is asked for the first time. */
  readonly registry: () => Promise<Registry>;
  readonly onEvent: TransferSink;
  /** Says once what was done without. */
  readonly onNote: (message: string) => void;
  readonly signal: AbortSignal;
}
