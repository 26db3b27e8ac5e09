import type { NetworkMode } from "../options.ts";

/** A small file that a RUN step finds under /dev: the body of a heredoc that begins with "#!". */
export interface RunDocument {
  readonly path: string;
  readonly content: string;
}

/** What a RUN does, with everything expanded. */
export interface RunOperation {
  readonly op: "run";
  readonly args: readonly [string, ...string[]];
  /** ENV and ARG as the step sees them, in the order they were set; without the proxy variables nobody declared. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** "name[:group]" or numbers, as in the config; "" is root. */
  readonly user: string;
  readonly network: NetworkMode;
  readonly documents: readonly RunDocument[];
}

/** Where COPY and ADD read from. */
export type CopyOrigin =
  | { readonly from: "context" }
  /** Index of an earlier stage. */
  | { readonly from: "stage"; readonly stage: number }
  | { readonly from: "image"; readonly image: string };

/** What a COPY or ADD does, with everything expanded. */
export interface CopyOperation {
  readonly op: "copy";
  readonly origin: CopyOrigin;
  /** Paths or wildcards below the origin's root; cleaned, without a leading slash; "" is the root. */
  readonly sources: readonly string[];
  /** Heredocs: files made from text. */
  readonly documents: readonly { readonly name: string; readonly content: string }[];
  /** Absolute; ends in "/" where the Dockerfile names a directory. */
  readonly target: string;
  readonly chown?: string;
  readonly chmod?: string;
  /** Archives among the sources are unpacked. */
  readonly unpack: boolean;
  /** The layer shall not depend on those below. */
  readonly link: boolean;
}

export interface WorkdirOperation {
  readonly op: "workdir";
  /** Absolute, never "/". */
  readonly path: string;
  /** Who owns the directories that are made: the stage's user at that point. */
  readonly user: string;
}

export type Operation = RunOperation | CopyOperation | WorkdirOperation;
