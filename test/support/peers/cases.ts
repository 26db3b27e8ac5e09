import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CHECKOUT } from "../cli.ts";
import { file, type Wanted } from "../tree.ts";

export type PeerName = "docker" | "buildah";

/** What JSON cannot hold as a text. */
interface BinaryFile {
  readonly kind: "file";
  readonly base64: string;
}

/** One Dockerfile about one feature, with its context. */
export interface PeerCase {
  /** Own to the case, in all files. */
  readonly id: string;
  readonly dockerfile: readonly string[];
  /** By path; a text is a file of mode 0644. */
  readonly context?: Readonly<Record<string, string | Wanted | BinaryFile>>;
  readonly args?: Readonly<Record<string, string>>;
  readonly target?: string;
  /** It stands on the busybox image, which peers get as "busybox". */
  readonly busybox?: true;
  /** It has RUN steps. */
  readonly runs?: true;
  /** Peers that cannot build it, with the reason. */
  readonly without?: Readonly<Partial<Record<PeerName, string>>>;
  /** Instead of peers: what the image must have, for what is newer than they are; `source` says who decides. */
  readonly golden?: { readonly source: string; readonly fields: Readonly<Record<string, unknown>>; readonly absent?: readonly string[] };
}

/** A difference that is meant. */
export interface Difference {
  /** "*": wherever it shows. */
  readonly case: string;
  readonly peer: PeerName;
  readonly field: string;
  /** As JSON values; null where the image lacks the field. */
  readonly ours: unknown;
  readonly theirs: unknown;
  /** The text or source that decides. */
  readonly source: string;
}

const folder = join(CHECKOUT, "fixtures/dockerfile-peers");

/** All cases, by the name of their file. */
export function peerCases(): ReadonlyMap<string, readonly PeerCase[]> {
  const files = readdirSync(folder).filter((name) => name.endsWith(".json") && name !== "differences.json");
  return new Map(files.sort().map((name) => [name.replace(".json", ""), read(name) as readonly PeerCase[]]));
}

export function acceptedDifferences(): readonly Difference[] {
  return read("differences.json") as readonly Difference[];
}

/** The context as files to be made. */
export function contextFiles({ context = {} }: PeerCase): Readonly<Record<string, Wanted>> {
  return Object.fromEntries(Object.entries(context).map(([path, wanted]) => [path, wantedFile(wanted)]));
}

function wantedFile(wanted: string | Wanted | BinaryFile): Wanted {
  if (typeof wanted === "string") return file(wanted);
  return "base64" in wanted ? file(Buffer.from(wanted.base64, "base64")) : wanted;
}

function read(name: string): unknown {
  return JSON.parse(readFileSync(join(folder, name), "utf8"));
}
