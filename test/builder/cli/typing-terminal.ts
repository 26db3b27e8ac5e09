import type { CliIo } from "../../../builder/cli/cli-io.ts";
import { type FakeIo, fakeIo } from "./fake-io.ts";

/** A terminal at which somebody types. */
export interface TypingTerminal extends FakeIo {
  /** What raw mode was set to, in order. */
  readonly modes: boolean[];
  closed(): boolean;
}

/** Each of `typed` arrives as one chunk, its characters as bytes; then input ends, or fails. */
export function typingTerminal(typed: readonly string[], failure?: Error, options: Parameters<typeof fakeIo>[0] = {}): TypingTerminal {
  const modes: boolean[] = [];
  let closed = false;
  const chunks = typed.map((text) => Buffer.from(text, "latin1"));
  const input: AsyncIterator<Uint8Array> = {
    next: async () => {
      const value = chunks.shift();
      if (value !== undefined) return { done: false, value };
      if (failure !== undefined) throw failure;
      return { done: true, value: undefined };
    },
    return: async () => {
      closed = true;
      return { done: true, value: undefined };
    },
  };
  const stdin: CliIo["stdin"] = { isTTY: true, setRawMode: (raw) => modes.push(raw), [Symbol.asyncIterator]: () => input };
  return { ...fakeIo(options), stdin, modes, closed: () => closed };
}
