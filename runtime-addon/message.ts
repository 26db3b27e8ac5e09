import type { ByteString } from "./bytes.ts";

/** A list on its way to the addon: numbers in order, and the text of all strings joined, whose lengths are among the numbers. */
export interface PackedMessage {
  readonly numbers: Float64Array;
  readonly text: Buffer;
}

/** Collects a message. One array and one string cost far less than an object for each item in the addon. */
export class MessageWriter {
  readonly #numbers: number[] = [];
  readonly #texts: string[] = [];

  number(value: number): this {
    this.#numbers.push(value);
    return this;
  }

  text(value: ByteString): this {
    this.#numbers.push(value.length);
    this.#texts.push(value);
    return this;
  }

  finish(): PackedMessage {
    return { numbers: Float64Array.from(this.#numbers), text: Buffer.from(this.#texts.join(""), "latin1") };
  }
}

export function packPaths(paths: readonly ByteString[]): PackedMessage {
  return { numbers: Float64Array.from(paths, (path) => path.length), text: Buffer.from(paths.join(""), "latin1") };
}
