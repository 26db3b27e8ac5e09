import { execFileSync } from "node:child_process";
import { closeSync, openSync, writeSync } from "node:fs";
import { type LoggedRequest, readWriteLog, SECTOR_BYTES, writtenBytes } from "./write-log.ts";

/** What one disk would hold had the power gone at a point of its log. */
export interface PowerCuts {
  readonly requests: readonly LoggedRequest[];
  /**
   * Makes `file` the disk after the first `point` requests: what was flushed is there, of what was not each sector is or is not, as `chance` says
   * (a number from 0 to below its argument). Points must not decrease from call to call.
   */
  diskAt(point: number, file: string, chance: (below: number) => number): void;
  close(): void;
}

/** `base` is the disk before the first request; it is changed. */
export function powerCuts(base: string, logFile: string): PowerCuts {
  const requests = readWriteLog(logFile);
  const log = openSync(logFile, "r");
  const disk = openSync(base, "r+");
  let flushed = 0;
  return {
    requests,
    diskAt(point, file, chance) {
      const lastFlush = requests.slice(0, point).findLastIndex(({ flush }) => flush);
      for (; flushed <= lastFlush; flushed++) apply(log, disk, requests[flushed], () => true);
      execFileSync("cp", ["--sparse=always", base, file]);
      const fd = openSync(file, "r+");
      try {
        for (const request of requests.slice(flushed, point)) apply(log, fd, request, fate(chance));
      } finally {
        closeSync(fd);
      }
    },
    close() {
      closeSync(log);
      closeSync(disk);
    },
  };
}

/** A request that was not flushed is there, is not, or is there in part: a disk writes single sectors whole. */
function fate(chance: (below: number) => number): () => boolean {
  const kind = chance(5);
  if (kind === 0) return () => chance(2) === 0;
  return () => kind > 2;
}

function apply(log: number, disk: number, request: LoggedRequest | undefined, isThere: () => boolean): void {
  // What is discarded may stay as it was.
  if (request === undefined || request.discard || request.sectors === 0) return;
  const bytes = writtenBytes(log, request);
  for (let index = 0; index < request.sectors; ) {
    const there = isThere();
    let end = index + 1;
    while (end < request.sectors && isThere() === there) end += 1;
    if (there) writeSync(disk, bytes, index * SECTOR_BYTES, (end - index) * SECTOR_BYTES, (request.sector + index) * SECTOR_BYTES);
    index = end;
  }
}
