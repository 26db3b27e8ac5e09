import { describe, expect, it } from "vitest";
import { type Room, refuseWithoutRoom, reserveOf, roomFor } from "../../store/room.ts";

const MiB = 2 ** 20;
const full = { code: "ENOSPC", syscall: "write", path: "/store/tmp/file" };

describe("the room that is left to others", () => {
  it.each<[name: string, totalBytes: number, reserve: number]>([
    ["of a large file system 64 MiB", 2 ** 40, 64 * MiB],
    ["of a small one a sixteenth", 64 * MiB, 4 * MiB],
  ])("is %s", (_name, totalBytes, reserve) => {
    expect(reserveOf({ totalBytes, freeBytes: 0 })).toBe(reserve);
  });
});

describe("a file that grows", () => {
  /** Writes by the chunk on a file system of `totalBytes` where so many are free; answers how many were written. */
  function grow(chunk: number, room: Room, most: number): number {
    let written = 0;
    const take = roomFor("/store/tmp/file", () => ({ ...room, freeBytes: room.freeBytes - written }));
    while (written < most) {
      take(chunk);
      written += chunk;
    }
    return written;
  }

  it("attack: of no known end leaves the reserve, whatever its chunks are", () => {
    const room = { totalBytes: 2 ** 40, freeBytes: 500 * MiB };
    for (const chunk of [16 * 1024, 256 * 1024, 3 * MiB, 100 * MiB]) {
      let written = 0;
      const take = roomFor("/store/tmp/file", () => ({ ...room, freeBytes: room.freeBytes - written }));
      const bomb = () => {
        for (; ; written += chunk) take(chunk);
      };
      expect(bomb).toThrow(expect.objectContaining(full));
      // Between two looks a sixteenth of it may go.
      expect(room.freeBytes - written).toBeGreaterThanOrEqual(60 * MiB);
      expect(written).toBeGreaterThanOrEqual(300 * MiB);
    }
  });

  it("is not looked at while it is small", () => {
    expect(grow(64 * 1024, { totalBytes: 2 ** 40, freeBytes: 5 * MiB }, 3 * MiB)).toBe(3 * MiB);
  });

  it("grows on a file system that does not say what is free", () => {
    const take = roomFor("/store/tmp/file", () => undefined);
    for (let i = 0; i < 100; i++) take(100 * MiB);
  });
});

describe("what has a known length", () => {
  const look = () => ({ totalBytes: 2 ** 40, freeBytes: 500 * MiB });

  it("attack: larger than the disk, it is not begun", () => {
    expect(() => refuseWithoutRoom("/store", 2 ** 50, "fetching layer x", look)).toThrow(
      expect.objectContaining({
        code: "STORE_FULL",
        message: "fetching layer x: 1125899906842624 bytes, and the file system of the store /store has room for 524288000",
      }),
    );
  });

  it("is written where it fits, or where the file system does not say", () => {
    refuseWithoutRoom("/store", 500 * MiB, "x", look);
    refuseWithoutRoom("/store", 2 ** 50, "x", () => undefined);
  });
});
