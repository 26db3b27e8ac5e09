import { isUtf8 } from "node:buffer";
import { harmlessJson } from "../../store/unseen.ts";
import type { BuildEvent } from "./event.ts";
import type { Renderer } from "./renderer.ts";

/** For programs: every event as one line of JSON. Output is `text` where the chunk is UTF-8, else `base64`. */
export function rawJsonRenderer(write: (text: string) => void): Renderer {
  return {
    tickMs: 60_000,
    handle(event) {
      write(`${harmlessJson(JSON.stringify(printable(event)))}\n`);
    },
    tick() {},
    close() {},
  };
}

function printable(event: BuildEvent): object {
  if (event.type !== "step-output") return event;
  const { chunk, ...rest } = event;
  const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  return isUtf8(bytes) ? { ...rest, text: bytes.toString("utf8") } : { ...rest, base64: bytes.toString("base64") };
}
