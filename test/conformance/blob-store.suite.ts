import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import type { BlobStore } from "../../store/blobs.ts";
import { type Digest, digestOf } from "../../store/digest.ts";
import type { Descriptor } from "../../store/oci.ts";
import { temporaryDirectory } from "../support/temporary.ts";

export interface BlobStoreFixture {
  readonly store: BlobStore;
  /** Replaces what is kept under a digest behind the store's back. */
  corrupt(digest: Digest, bytes: Uint8Array): void;
  /** A path from which `adopt` can take a file in. */
  tempPath(): string;
  /** Names of everything that is visible or lies about. */
  leftovers(): readonly string[];
}

const mediaType = "application/octet-stream";

export const descriptorOf = (bytes: Uint8Array): Descriptor => ({ mediaType, digest: digestOf(bytes), size: bytes.length });

/** Bytes in chunks; records whether the consumer ended it. */
export function chunked(...chunks: readonly (Uint8Array | Error)[]): AsyncIterable<Uint8Array> & { ended: boolean } {
  const source = {
    ended: false,
    async *[Symbol.asyncIterator]() {
      try {
        for (const chunk of chunks) {
          if (chunk instanceof Error) throw chunk;
          yield chunk;
        }
      } finally {
        source.ended = true;
      }
    },
  };
  return source;
}

export async function allOf(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The contract of a blob store, for each of its drivers. */
export function describeBlobStore(name: string, make: (directory: string) => BlobStoreFixture): void {
  describe(`blob store: ${name}`, () => {
    let fixture: BlobStoreFixture;
    let store: BlobStore;
    beforeEach(() => {
      fixture = make(temporaryDirectory("blobs"));
      store = fixture.store;
    });

    const small = Buffer.from("hello, blob\n");
    const large = Buffer.alloc(3 * 1024 * 1024 + 17, "0123456789abcdef");

    it.each([
      ["an empty blob", Buffer.alloc(0)],
      ["a small blob", small],
      ["a blob of many chunks", large],
    ])("gives back %s", async (_, bytes) => {
      const target = descriptorOf(bytes);
      expect(await store.has(target)).toBe(false);
      await store.put(target, chunked(bytes.subarray(0, 5), bytes.subarray(5)));
      expect(await store.has(target)).toBe(true);
      expect((await allOf(store.open(target))).equals(bytes)).toBe(true);
    });

    it("finds out the digest of what is ingested", async () => {
      expect(await store.ingest(mediaType, chunked(small, small))).toEqual(descriptorOf(Buffer.concat([small, small])));
      expect(await store.putBytes(mediaType, small)).toEqual(descriptorOf(small));
      const all = [];
      for await (const { digest, size } of store.list()) all.push([digest, size]);
      expect(all.sort()).toEqual(
        [descriptorOf(Buffer.concat([small, small])), descriptorOf(small)].map(({ digest, size }) => [digest, size]).sort(),
      );
    });

    it("puts the same blob twice, and ends the second source unread", async () => {
      await store.put(descriptorOf(small), chunked(small));
      const second = chunked(new Error("must not be read"));
      await store.put(descriptorOf(small), second);
      expect(await allOf(store.open(descriptorOf(small)))).toEqual(small);
    });

    it("takes the same blob from many writers at once", async () => {
      await Promise.all(Array.from({ length: 8 }, () => store.put(descriptorOf(large), chunked(large))));
      expect((await allOf(store.open(descriptorOf(large)))).equals(large)).toBe(true);
      expect(fixture.leftovers()).toHaveLength(1);
    });

    it.each<[string, Descriptor, readonly (Uint8Array | Error)[], string]>([
      [
        "other bytes of the same length",
        descriptorOf(small),
        [Buffer.from("hello, BLOB\n")],
        `storing blob ${digestOf(small)}: expected ${digestOf(small)}, got `,
      ],
      ["too few bytes", descriptorOf(small), [small.subarray(1)], `storing blob ${digestOf(small)}: expected 12 bytes, got 11`],
      ["too many bytes", descriptorOf(small), [small, small], `storing blob ${digestOf(small)}: expected 12 bytes, got more`],
      ["a source that fails", descriptorOf(small), [small.subarray(0, 4), new Error("line cut")], "line cut"],
    ])("refuses %s and shows nothing", async (_, target, chunks, message) => {
      const source = chunked(...chunks);
      await expect(store.put(target, source)).rejects.toThrow(message);
      expect(source.ended).toBe(true);
      expect(await store.has(target)).toBe(false);
      expect(fixture.leftovers()).toEqual([]);
    });

    it("shows nothing after an abort in the middle", async () => {
      const controller = new AbortController();
      async function* endless() {
        for (;;) {
          controller.abort(new Error("enough"));
          yield small;
        }
      }
      await expect(store.ingest(mediaType, endless(), { signal: controller.signal })).rejects.toThrow("enough");
      expect(fixture.leftovers()).toEqual([]);
    });

    it.each<[string, Buffer, string]>([
      ["changed bytes", Buffer.from("hello, BLOB\n"), `reading blob ${digestOf(small)}: expected ${digestOf(small)}, got `],
      ["missing bytes", small.subarray(0, 3), `reading blob ${digestOf(small)}: expected 12 bytes, got 3`],
      ["added bytes", Buffer.concat([small, small]), `reading blob ${digestOf(small)}: expected 12 bytes, got `],
    ])("tells of %s on the disk, streamed or at once", async (_, bytes, message) => {
      await store.put(descriptorOf(small), chunked(small));
      fixture.corrupt(digestOf(small), bytes);
      await expect(allOf(store.open(descriptorOf(small)))).rejects.toMatchObject({
        code: "INTEGRITY",
        message: expect.stringContaining(message),
      });
      await expect(store.readBytes(descriptorOf(small), 100)).rejects.toMatchObject({
        code: "INTEGRITY",
        message: expect.stringContaining(message),
      });
    });

    it("replaces a blob whose length is wrong", async () => {
      await store.put(descriptorOf(small), chunked(small));
      fixture.corrupt(digestOf(small), small.subarray(0, 3));
      expect(await store.has(descriptorOf(small))).toBe(false);
      await store.put(descriptorOf(small), chunked(small));
      expect(await store.readBytes(descriptorOf(small), 100)).toEqual(small);
    });

    it("says what is not there", async () => {
      const message = `reading blob ${digestOf(small)}: it is not in `;
      await expect(allOf(store.open(descriptorOf(small)))).rejects.toMatchObject({
        code: "NOT_FOUND",
        message: expect.stringContaining(message),
      });
      await expect(store.readBytes(descriptorOf(small), 100)).rejects.toMatchObject({
        code: "NOT_FOUND",
        message: expect.stringContaining(message),
      });
    });

    it("does not read more than the caller allows", async () => {
      await store.put(descriptorOf(small), chunked(small));
      await expect(store.readBytes(descriptorOf(small), 11)).rejects.toMatchObject({
        code: "TOO_LARGE",
        message: `reading blob ${digestOf(small)}: 12 bytes are more than the 11 allowed here`,
      });
    });

    it("adopts a finished file, also when the blob is there", async () => {
      for (const _ of [1, 2]) {
        const temp = fixture.tempPath();
        writeFileSync(temp, large);
        await store.adopt(temp, descriptorOf(large));
        expect((await allOf(store.open(descriptorOf(large)))).equals(large)).toBe(true);
        expect(fixture.leftovers()).toHaveLength(1);
      }
    });

    it("refuses to adopt a file of another length", async () => {
      const temp = fixture.tempPath();
      writeFileSync(temp, small);
      await expect(store.adopt(temp, descriptorOf(large))).rejects.toMatchObject({ code: "INTEGRITY" });
      expect(await store.has(descriptorOf(large))).toBe(false);
    });

    it("closes the file of a reader who leaves early", async () => {
      await store.put(descriptorOf(large), chunked(large));
      for (let i = 0; i < 20; i++) for await (const _ of store.open(descriptorOf(large))) break;
      const { readdirSync, readlinkSync } = await import("node:fs");
      const open = readdirSync("/proc/self/fd").filter((fd) => {
        try {
          return readlinkSync(join("/proc/self/fd", fd)) === store.path(digestOf(large));
        } catch {
          return false;
        }
      });
      expect(open).toEqual([]);
    });

    it("deletes, twice as well", async () => {
      await store.put(descriptorOf(small), chunked(small));
      await store.delete(digestOf(small));
      await store.delete(digestOf(small));
      expect(await store.has(descriptorOf(small))).toBe(false);
    });
  });
}
