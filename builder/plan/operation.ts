import type { NetworkMode } from "../options.ts";

/** A small file that a RUN step finds under /dev: the body of a heredoc that begins with "#!". */
export interface RunDocument {
  readonly path: string;
  readonly content: string;
}

/** Where COPY, ADD and mounts find files. */
export type FileOrigin =
  /** The build context, or the one that --build-context gave this name. */
  | { readonly from: "context"; readonly name?: string }
  /** Index of an earlier stage. */
  | { readonly from: "stage"; readonly stage: number }
  | { readonly from: "image"; readonly image: string };

/** RUN --mount, with everything expanded and every default in place. Targets are absolute. */
export type RunMount =
  | {
      readonly type: "bind";
      readonly target: string;
      readonly origin: FileOrigin;
      /** Cleaned, without a leading slash; "" is the origin's root. */
      readonly source: string;
      /** As PathWord. */
      readonly written?: string;
      /** What is written through a mount that is not read-only is thrown away. */
      readonly readOnly: boolean;
    }
  | {
      readonly type: "cache";
      readonly target: string;
      readonly id: string;
      readonly sharing: "shared" | "private" | "locked";
      readonly readOnly: boolean;
      /** What a new cache begins with; absent: nothing. */
      readonly origin?: FileOrigin;
      readonly source: string;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  | { readonly type: "tmpfs"; readonly target: string; readonly sizeBytes?: number }
  | {
      readonly type: "secret";
      readonly id: string;
      /** Absent: no file, the variable only. */
      readonly target?: string;
      readonly env?: string;
      readonly required: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  | {
      readonly type: "ssh";
      readonly id: string;
      readonly target: string;
      readonly required: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    };

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
  readonly security: "sandbox" | "insecure";
  /** Absent: the sandbox's own. */
  readonly hostname?: string;
  readonly documents: readonly RunDocument[];
  /** In the order of the instruction: of equal targets the later is on top. */
  readonly mounts: readonly RunMount[];
}

/** A file of the web. */
export interface HttpSource {
  readonly kind: "http";
  /** Without user and password: those are refused. */
  readonly url: string;
  /** What the file is called in a directory. */
  readonly name: string;
  /** "sha256:…" */
  readonly checksum?: string;
}

/** A git repository, at one commit. */
export interface GitSource {
  readonly kind: "git";
  /** What git fetches from: "https://host/path.git", "ssh://user@host/path", "user@host:path". */
  readonly remote: string;
  /** A branch, tag, or commit; absent: what the remote's HEAD is. */
  readonly ref?: string;
  /** Cleaned, without leading slash; absent: all of it. */
  readonly subdir?: string;
  readonly keepGitDir: boolean;
  readonly submodules: boolean;
  /** Beginning of the commit that the ref must be, 7 to 64 hexadecimal digits. */
  readonly checksum?: string;
  /** A trigger of a base image names it, not the user. Absent: the user does. */
  readonly byImage?: true;
}

/** What one source word of COPY or ADD means. */
export type CopyWord = PathWord | HttpSource | GitSource;

export interface PathWord {
  readonly kind: "path";
  /** A path or wildcard below the origin's root; cleaned, without a leading slash; "" is the root. With --parents a "/./" in it is the pivot. */
  readonly path: string;
  /** What the Dockerfile has, where its ".." would lead above the root: for errors. */
  readonly written?: string;
}

/** What a COPY or ADD does, with everything expanded. */
export interface CopyOperation {
  readonly op: "copy";
  /** Of the words that are paths. */
  readonly origin: FileOrigin;
  /** In the order of the instruction. */
  readonly words: readonly CopyWord[];
  /** Heredocs: files made from text; they come after the words. */
  readonly documents: readonly { readonly name: string; readonly content: string }[];
  /** Absolute; ends in "/" where the Dockerfile names a directory. */
  readonly target: string;
  readonly chown?: string;
  readonly chmod?: string;
  /** Whether archives are unpacked: among files of the origin, and among those of the web. */
  readonly unpack: { readonly local: boolean; readonly remote: boolean };
  /** The layer shall not depend on those below. */
  readonly link: boolean;
  /** Sources keep the directories above them, from the pivot on. */
  readonly parents: boolean;
  /** Patterns, relative to each source, of what is left out. */
  readonly exclude: readonly string[];
}

export interface WorkdirOperation {
  readonly op: "workdir";
  /** Absolute, never "/". */
  readonly path: string;
  /** Who owns the directories that are made: the stage's user at that point. */
  readonly user: string;
}

export type Operation = RunOperation | CopyOperation | WorkdirOperation;
