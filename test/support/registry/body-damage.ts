import type { Writable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";

export async function readAll(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The first bytes, as they come. Asks for nothing more when it has them; the body is left as it is. */
export async function* firstBytes(body: AsyncIterable<Uint8Array>, count: number): AsyncGenerator<Uint8Array> {
  let left = count;
  if (left === 0) return;
  const iterator = body[Symbol.asyncIterator]();
  while (left > 0) {
    const next = await iterator.next();
    if (next.done === true) return;
    yield next.value.subarray(0, left);
    left -= Math.min(left, next.value.length);
  }
}

/** All of it, the last byte another one. */
export async function* flippedLast(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array | undefined;
  for await (const chunk of body) {
    if (held !== undefined) yield held;
    held = chunk;
  }
  if (held === undefined) return;
  const last = Buffer.from(held);
  last.writeUInt8(last.readUInt8(last.length - 1) ^ 1, last.length - 1);
  yield last;
}

/** Writes at the other side's pace; stops silently when the other side goes away. */
export async function writeAll(to: Writable, body: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of body) {
    if (to.destroyed) return;
    if (!to.write(chunk)) await drained(to);
    // An answer in the middle of a body is read before the next write can meet the reset that follows it.
    await nextTurn();
  }
}

function drained(to: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      to.off("drain", done).off("close", done);
      resolve();
    };
    to.on("drain", done).on("close", done);
  });
}

/** Waits until what was written has left this process. */
export function flushed(to: Writable): Promise<void> {
  return new Promise((resolve) => {
    to.write("", () => resolve());
  });
}
