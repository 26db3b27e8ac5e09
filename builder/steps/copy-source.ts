import type { ByteString } from "../../runtime-addon/index.ts";
import type { ContentRef, NodeEntry } from "../../store/layer/entry.ts";

/** A file that COPY may take. Paths are relative to the source: "" is the source itself. */
export type SourceNode = NodeEntry & {
  /** Files only. */
  readonly content?: ContentRef;
};

/** One source of a COPY, found and listed: a file, or a directory with everything below it. */
export interface CopySource {
  /** Its last path component: what it is called in a target directory. "" for the root of the origin. */
  readonly name: ByteString;
  /** The source itself first, then what is below it, parents first. */
  readonly nodes: readonly SourceNode[];
}
