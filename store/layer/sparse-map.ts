import type { ByteString } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../errors.ts";

/** A run of a sparse file that has bytes in the tar; between the runs are holes, which read as zeros. */
export interface SparseRun {
  /** In the file. */
  readonly start: number;
  readonly size: number;
}

/** What a header says of a sparse file (GNU tar manual, "Storing Sparse Files"). */
export interface SparseHeader {
  /** Bytes of the file, holes included. */
  readonly size: number;
  /**
   * As far as the header holds them; then where the others are: `blocks`: in blocks behind the header (the old form "S"), `content`: at the beginning of
   * the content (PAX form 1.0).
   */
  readonly runs: readonly SparseRun[];
  readonly more: "none" | "blocks" | "content";
}

const oldRunBytes = 24;
const oldHeaderRuns = { at: 386, count: 4, more: 482 };
const oldBlockRuns = { at: 0, count: 21, more: 504 };
const oldRealSize = 483;

type ReadNumber = (block: Buffer, what: string, offset: number, length: number) => number;

/** Undefined for a file that is not sparse. Throws INVALID_TAR for sizes and maps that are none, UNSUPPORTED_TAR for forms that only star has. */
export function sparseHeader(
  block: Buffer,
  pax: ReadonlyMap<string, ByteString>,
  number: ReadNumber,
  where: string,
): SparseHeader | undefined {
  const type = String.fromCharCode(block[156] ?? 0);
  if (type === "S") {
    const { runs, more } = oldRuns(block, oldHeaderRuns, number);
    return { size: number(block, "real size", oldRealSize, 12), runs, more: more ? "blocks" : "none" };
  }
  if (pax.size === 0) return undefined;
  const major = pax.get("GNU.sparse.major");
  if (major !== undefined) {
    if (major !== "1" || pax.get("GNU.sparse.minor") !== "0")
      throw new TsbuildError("UNSUPPORTED_TAR", `${where}: a sparse file of a form that is not known`);
    return { size: decimal(pax.get("GNU.sparse.realsize"), where), runs: [], more: "content" };
  }
  const map = pax.get("GNU.sparse.map");
  if (map !== undefined || pax.has("GNU.sparse.size")) {
    const numbers = map === undefined || map === "" ? [] : map.split(",").map((text) => decimal(text, where));
    return { size: decimal(pax.get("GNU.sparse.size"), where), runs: pairs(numbers, where), more: "none" };
  }
  if (!pax.has("SCHILY.realsize")) return undefined;
  throw new TsbuildError("UNSUPPORTED_TAR", `${where}: a sparse file of star's own form`, {
    hint: "write the archive again without sparse files",
  });
}

/** The runs in a block that stands behind a header of the old form, and whether another one follows. */
export function moreOldRuns(block: Buffer, number: ReadNumber): { readonly runs: readonly SparseRun[]; readonly more: boolean } {
  return oldRuns(block, oldBlockRuns, number);
}

function oldRuns(
  block: Buffer,
  { at, count, more }: { readonly at: number; readonly count: number; readonly more: number },
  number: ReadNumber,
): { readonly runs: readonly SparseRun[]; readonly more: boolean } {
  const runs: SparseRun[] = [];
  for (let i = 0; i < count; i++) {
    const offset = at + i * oldRunBytes;
    if (block[offset] === 0) break;
    runs.push({ start: number(block, "sparse map", offset, 12), size: number(block, "sparse map", offset + 12, 12) });
  }
  return { runs, more: block[more] !== 0 };
}

/** How many lines the map has that stands at the beginning of a content, by its first block. Throws INVALID_TAR. */
export function mapLines(text: string, where: string): number {
  const end = text.indexOf("\n");
  return 1 + 2 * (end < 0 ? noMap(where) : decimal(text.slice(0, end), where));
}

/** Reads that map when all of its lines are there: the number of runs, then of each its start and size. Throws INVALID_TAR. */
export function runsOfMap(text: string, lines: number, where: string): readonly SparseRun[] {
  const numbers = text.split("\n").slice(1, lines);
  return pairs(
    numbers.map((line) => decimal(line, where)),
    where,
  );
}

/** Throws INVALID_TAR unless the runs are in order, inside the file, and hold as many bytes as the tar has of it. */
export function checkRuns(runs: readonly SparseRun[], size: number, storedBytes: number, where: string): void {
  let end = 0;
  let stored = 0;
  for (const run of runs) {
    if (run.start < end || !Number.isSafeInteger(run.start + run.size)) noMap(where);
    end = run.start + run.size;
    stored += run.size;
  }
  if (end > size || stored !== storedBytes) noMap(where);
}

function pairs(numbers: readonly number[], where: string): SparseRun[] {
  if (numbers.length % 2 !== 0) noMap(where);
  const runs: SparseRun[] = [];
  for (let i = 0; i < numbers.length; i += 2) runs.push({ start: numbers[i] ?? 0, size: numbers[i + 1] ?? 0 });
  return runs;
}

function decimal(text: string | undefined, where: string): number {
  const value = /^[0-9]{1,16}$/.test(text ?? "") ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : noMap(where);
}

function noMap(where: string): never {
  throw new TsbuildError("INVALID_TAR", `${where}: the map of a sparse file does not fit the file`);
}
