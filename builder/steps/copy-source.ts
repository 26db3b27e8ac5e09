import type { ByteString } from "../../runtime-addon/index.ts";
import type { ContentRef, NodeEntry } from "../../store/layer/entry.ts";

/** A file that COPY may take. Paths are relative to the source: "" is the source itself. */
export type SourceNode = NodeEntry & {
  /** Files only. */
  readonly content?: ContentRef;
  /** A directory that was not asked for itself, only something below it: where there is one already, that keeps its owner and time. */
  readonly leads?: true;
};

/** One source of a COPY, found and listed: a file, or a directory with everything below it that is taken. */
export interface CopySource {
  /** Its last path component: what it is called in a target directory. "" for the root of the origin, and where names keep the directories above them. */
  readonly name: ByteString;
  /** The source itself first, then what is below it, parents first. */
  readonly nodes: readonly SourceNode[];
  /** Comes from the web. */
  readonly remote?: true;
  /** Its time is part of what it is: with another it is another file. */
  readonly dated?: true;
}
