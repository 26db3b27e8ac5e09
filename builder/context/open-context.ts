import type { ContextReader } from "../steps/context-inputs.ts";
import type { IgnoreRules } from "./ignore.ts";

/** A context, opened as far as its Dockerfile needs it. */
export interface OpenContext {
  /** How errors call it: "the build context /src/app". */
  readonly describe: string;
  /** A file of it, as errors say where: as one would open it from the current directory, or what cannot be taken for such a path. */
  place(path: string): string;
  /** The real path of a directory of the host; absent where the context is none. */
  readonly root?: string;
  /** Set where the context itself is a Dockerfile: standard input, or a text behind a URL. */
  readonly dockerfile?: string;
  /** A small text file; undefined where there is none. Confined to the context. Throws DOCKERFILE_UNREADABLE, DOCKERFILE_TOO_LARGE. */
  readText(path: string): Promise<string | undefined>;
}

/** An ignore file, and how errors call it. */
export interface IgnoreFile {
  readonly file: string;
  readonly text: string;
}

/** A context whose files can be read. What it keeps on the disk belongs to the store's temporary files. */
export interface OpenedSource {
  readonly context: OpenContext;
  /** Call it once. `rules` count for directories of the host alone: every other context is used whole. */
  reader(rules: IgnoreRules | undefined): Promise<ContextReader>;
  /** As Contexts.time. */
  time(): Promise<number | undefined>;
}
