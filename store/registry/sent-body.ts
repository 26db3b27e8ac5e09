import { setImmediate as nextTurn } from "node:timers/promises";
import { IntegrityError } from "../errors.ts";
import type { HttpBody } from "./http-message.ts";

/** A body on its way out. */
export interface SentBody {
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Whether an error came out of the source itself rather than out of the connection. */
  isSourceError(error: unknown): boolean;
}

/** Passes on exactly as many bytes as were announced, or fails before the last of them. */
export function sentBody(body: HttpBody): SentBody {
  let thrown: { readonly error: unknown } | undefined;
  async function* bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      let sent = 0;
      for await (const chunk of body.open()) {
        sent += chunk.length;
        if (sent > body.sizeBytes) throw mismatch(body.sizeBytes, `${sent} or more`);
        if (chunk.length === 0) continue;
        yield chunk;
        // An answer in the middle of an upload is read before the next write can meet the reset that follows it.
        await nextTurn();
      }
      if (sent < body.sizeBytes) throw mismatch(body.sizeBytes, `${sent}`);
    } catch (error) {
      thrown = { error };
      throw error;
    }
  }
  return { bytes: bytes(), isSourceError: (error) => thrown !== undefined && thrown.error === error };
}

function mismatch(expected: number, actual: string): IntegrityError {
  return new IntegrityError("sending a body", `${expected} bytes`, `${actual} bytes`);
}
