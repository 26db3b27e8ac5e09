import { type ByteString, bytesFrom } from "../../runtime-addon/index.ts";
import type { Digest } from "../digest.ts";
import { TsbuildError } from "../errors.ts";
import { decodePaxRecords } from "./pax.ts";
import { checkRuns, mapLines, moreOldRuns, runsOfMap, type SparseRun } from "./sparse-map.ts";
import { blockBytes, padded } from "./tar-format.ts";
import { checksumHolds, type DecodedHeader, decodeHeader, headerSize, sparseNumber, type TarHeader } from "./tar-header.ts";

/** What a tar holds, as it comes by. */
export interface TarEvents {
  /** A header and where its content begins in the tar; `where` begins messages about it. `content` calls and one `contentEnd` follow. */
  entry(header: TarHeader, contentOffset: number, where: string): void;
  /** Valid during the call only. */
  content(chunk: Uint8Array): void;
  /** So many zeros of a sparse file's content, which are not in the tar. Where this is absent sparse files are refused. */
  hole?(bytes: number): void;
  /** `digest` is the content's, where it was skipped. */
  contentEnd(digest?: Digest): void;
}

/** Feeds on the bytes of one tar in chunks of any size. Both throw INVALID_TAR and UNSUPPORTED_TAR with the byte offset. */
export interface TarParser {
  push(chunk: Uint8Array): void;
  /**
   * In place of a file's content, and the zeros behind it: somebody else took so many bytes out of the tar and made their digest. Fewer bytes than there should be are the archive's last.
   * Throws RangeError where no such content can be.
   */
  skip(bytes: number, digest: Digest): void;
  /** Says that the bytes are over. A tar may lack its trailer, but not end inside an entry. */
  end(): void;
}

/** Long names and PAX headers are held in memory whole: all that speak about one entry, */
const maxMetaBytes = 1024 * 1024;
/** and all that speak about every entry to come, which are gone through for each of them. */
const maxGlobalBytes = 64 * 1024;
/** What the holes of all sparse files of a tar may come to: they cost their writer nothing. */
const maxHoleBytes = 8 * 2 ** 30;

type State =
  | { readonly reading: "header" }
  /** The body of a header that speaks about the next entry. */
  | { readonly reading: "meta"; readonly type: string }
  /** Blocks of a sparse file's map. */
  | { readonly reading: "map" }
  | { readonly reading: "content" }
  | { readonly reading: "padding" }
  /** One zero block was seen; the second ends the tar. */
  | { readonly reading: "trailer" }
  | { readonly reading: "rest" };

/** A sparse file that is being read. */
interface SparseEntry {
  readonly header: TarHeader;
  readonly place: string;
  readonly runs: SparseRun[];
  readonly more: "none" | "blocks" | "content";
  /** Bytes of runs that follow, the map's own not counted. */
  storedBytes: number;
  /** Of the map, as far as it has come. */
  text: string;
  /** Lines of the map that have not come; undefined before its first block. */
  linesLeft: number | undefined;
  mapBytes: number;
  /** The run that comes next, or is under way. */
  run: number;
  /** Bytes of the file that have been told of. */
  at: number;
}

export function tarParser(events: TarEvents): TarParser {
  let state: State = { reading: "header" };
  let offset = 0;
  // Bytes that `meta`, `content` and `padding` still want; `content` and `meta` are followed by `paddingBytes`.
  let wanted = 0;
  let paddingBytes = 0;
  const block = Buffer.alloc(blockBytes);
  let blockFilled = 0;
  let meta: Buffer[] = [];
  const globalPax = new Map<string, ByteString>();
  let pax = new Map<string, ByteString>();
  let longName: ByteString | undefined;
  let longLink: ByteString | undefined;
  let overridden = false;
  let metaBytes = 0;
  let globalBytes = 0;
  let sparse: SparseEntry | undefined;
  let holeBytes = 0;

  const where = (): string => `reading a tar: at byte ${offset}`;
  const invalid = (problem: string): TsbuildError => new TsbuildError("INVALID_TAR", `${where()}: ${problem}`);
  /** Of what has not even begun as one. */
  const noTar = (problem: string): TsbuildError => new TsbuildError("INVALID_TAR", `reading a tar: this is no tar archive: ${problem}`);

  const onHeader = (header: Buffer): void => {
    if (isZero(header)) {
      state = state.reading === "trailer" ? { reading: "rest" } : { reading: "trailer" };
      return;
    }
    if (state.reading === "trailer") throw invalid("data follows the first half of the end mark");
    if (!checksumHolds(header))
      throw offset === 0 ? noTar("its first block is no header") : invalid("this is no tar header: its checksum is wrong");
    const type = String.fromCharCode(header[156] ?? 0);
    if (type === "x" || type === "g" || type === "L" || type === "K" || type === "X") {
      const size = headerSize(header, where());
      countMeta(type, size);
      meta = [];
      expect({ reading: "meta", type }, size);
      return;
    }
    const records = globalPax.size === 0 ? pax : new Map([...globalPax, ...pax]);
    const place = where();
    const decoded = decodeHeader(
      header,
      { pax: records, ...(longName !== undefined && { longName }), ...(longLink !== undefined && { longLink }) },
      place,
    );
    if (overridden) {
      pax = new Map();
      longName = undefined;
      longLink = undefined;
      overridden = false;
      metaBytes = 0;
    }
    const hasContent = checkType(decoded.header.type, place);
    const size = hasContent ? decoded.storedBytes : 0;
    if (!Number.isSafeInteger(offset + blockBytes + padded(size))) throw invalid(`the size ${size} is not possible`);
    if (decoded.sparse !== undefined) {
      beginSparse(decoded, place);
      return;
    }
    events.entry(decoded.header, offset + blockBytes, place);
    expect({ reading: "content" }, size);
  };

  const beginSparse = ({ header, storedBytes, sparse: form }: DecodedHeader, place: string): void => {
    if (form === undefined) return;
    if (events.hole === undefined) throw new TsbuildError("UNSUPPORTED_TAR", `${place}: a sparse file cannot be here`);
    sparse = {
      header,
      storedBytes,
      place,
      runs: [...form.runs],
      more: form.more,
      text: "",
      linesLeft: undefined,
      mapBytes: 0,
      run: 0,
      at: 0,
    };
    if (form.more === "none") beginRuns(sparse, offset + blockBytes);
    else state = { reading: "map" };
  };

  const onMapBlock = (block: Buffer): void => {
    if (sparse === undefined) return;
    sparse.mapBytes += blockBytes;
    if (sparse.mapBytes > maxMetaBytes) throw invalid(`the map of a sparse file is longer than ${maxMetaBytes} bytes`);
    if (sparse.more === "blocks") {
      const { runs, more } = moreOldRuns(block, (...field) => sparseNumber(...field, where()));
      sparse.runs.push(...runs);
      if (!more) beginRuns(sparse, offset + blockBytes);
      return;
    }
    const text = block.toString("latin1");
    sparse.text += text;
    sparse.linesLeft = (sparse.linesLeft ?? mapLines(text, where())) - (text.split("\n").length - 1);
    sparse.storedBytes -= blockBytes;
    if (sparse.storedBytes < 0) throw invalid("the map of a sparse file does not fit the file");
    if (sparse.linesLeft > 0) return;
    for (const run of runsOfMap(sparse.text, mapLines(sparse.text, where()), where())) sparse.runs.push(run);
    beginRuns(sparse, offset + blockBytes);
  };

  const beginRuns = (entry: SparseEntry, contentOffset: number): void => {
    const { header, place, runs, storedBytes } = entry;
    checkRuns(runs, header.size, storedBytes, place);
    holeBytes += header.size - storedBytes;
    if (holeBytes > maxHoleBytes) throw new TsbuildError("TOO_LARGE", `${place}: holes of sparse files of more than ${maxHoleBytes} bytes`);
    events.entry(header, contentOffset, place);
    expect({ reading: "content" }, storedBytes);
  };

  /** Content as it comes, with the holes in front of it. */
  const pushRuns = (entry: SparseEntry, part: Buffer): void => {
    for (let taken = 0; taken < part.length; ) {
      const run = entry.runs[entry.run];
      if (run === undefined) return;
      holeUpTo(entry, run.start);
      const bytes = Math.min(run.start + run.size - entry.at, part.length - taken);
      if (bytes > 0) events.content(part.subarray(taken, taken + bytes));
      entry.at += bytes;
      taken += bytes;
      if (entry.at === run.start + run.size) entry.run++;
    }
  };

  const holeUpTo = (entry: SparseEntry, end: number): void => {
    if (end > entry.at) events.hole?.(end - entry.at);
    entry.at = Math.max(entry.at, end);
  };

  const onBlock = (bytes: Buffer): void => (state.reading === "map" ? onMapBlock(bytes) : onHeader(bytes));

  const countMeta = (type: string, size: number): void => {
    if (type === "g") globalBytes += size;
    else metaBytes += size;
    if (globalBytes > maxGlobalBytes) throw invalid(`global headers of ${globalBytes} bytes are longer than ${maxGlobalBytes}`);
    if (metaBytes > maxMetaBytes) throw invalid(`extended headers of ${metaBytes} bytes are longer than ${maxMetaBytes}`);
  };

  const expect = (next: State, bytes: number): void => {
    state = next;
    wanted = bytes;
    paddingBytes = padded(bytes) - bytes;
    if (bytes === 0) finishBody();
  };

  const finishBody = (): void => {
    if (state.reading === "content") {
      if (sparse !== undefined) holeUpTo(sparse, sparse.header.size);
      sparse = undefined;
      events.contentEnd();
    } else if (state.reading === "meta") applyMeta(state.type);
    wanted = paddingBytes;
    state = wanted > 0 ? { reading: "padding" } : { reading: "header" };
  };

  const applyMeta = (type: string): void => {
    const body = bytesFrom(meta.length === 1 && meta[0] !== undefined ? meta[0] : Buffer.concat(meta));
    meta = [];
    overridden ||= type !== "g";
    const text = (): ByteString => body.replace(/\0.*$/s, "") as ByteString;
    if (type === "L") longName = text();
    else if (type === "K") longLink = text();
    else decodePaxRecords(body, where(), type === "g" ? globalPax : pax);
  };

  const pushBody = (chunk: Buffer, at: number): number => {
    const taken = Math.min(wanted, chunk.length - at);
    const part = chunk.subarray(at, at + taken);
    if (state.reading === "content") sparse === undefined ? events.content(part) : pushRuns(sparse, part);
    // The chunk is the caller's again after this call.
    else if (state.reading === "meta") meta.push(Buffer.from(part));
    wanted -= taken;
    return taken;
  };

  return {
    push(bytes) {
      const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      let at = 0;
      while (at < chunk.length && state.reading !== "rest") {
        if (state.reading === "content" || state.reading === "meta" || state.reading === "padding") {
          const taken = pushBody(chunk, at);
          at += taken;
          offset += taken;
          if (wanted === 0) {
            if (state.reading === "padding") state = { reading: "header" };
            else finishBody();
          }
          continue;
        }
        if (blockFilled === 0 && chunk.length - at >= blockBytes) {
          const header = chunk.subarray(at, at + blockBytes);
          at += blockBytes;
          onBlock(header);
          offset += blockBytes;
          continue;
        }
        const taken = Math.min(blockBytes - blockFilled, chunk.length - at);
        block.set(chunk.subarray(at, at + taken), blockFilled);
        blockFilled += taken;
        at += taken;
        if (blockFilled < blockBytes) continue;
        blockFilled = 0;
        onBlock(block);
        offset += blockBytes;
      }
    },
    skip(bytes, digest) {
      const expected = wanted + paddingBytes;
      if (state.reading !== "content" || sparse !== undefined || bytes > expected)
        throw new RangeError(`${where()}: ${bytes} bytes of content cannot be here`);
      offset += bytes;
      // What is missing never comes.
      if (bytes < expected) return;
      state = { reading: "header" };
      events.contentEnd(digest);
    },
    end() {
      if (state.reading === "rest") return;
      const whole = state.reading === "header" || state.reading === "trailer";
      if (whole && offset === 0 && blockFilled > 0) throw noTar("it ends within its first block");
      if (!whole || blockFilled > 0) throw invalid("the archive ends inside an entry");
      if (overridden) throw invalid("the archive ends behind an extended header");
    },
  };
}

const zeros = Buffer.alloc(blockBytes);

function isZero(block: Buffer): boolean {
  return block[0] === 0 && block.equals(zeros);
}

/** Whether content follows an entry of this type. */
function checkType(type: string, where: string): boolean {
  switch (type) {
    case "0":
      return true;
    // A volume's label.
    case "V":
      return false;
    case "1":
    case "2":
    case "3":
    case "4":
    case "5":
    case "6":
      return false;
    default:
      throw new TsbuildError("UNSUPPORTED_TAR", `${where}: an entry of the type ${JSON.stringify(type)} means nothing in a layer`);
  }
}
