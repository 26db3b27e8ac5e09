import type { BuildEvent, StepInfo } from "../../../builder/progress/event.ts";
import type { Renderer, RendererIo } from "../../../builder/progress/renderer.ts";

const range = { start: { line: 3, column: 1 }, end: { line: 3, column: 10 } };

export function plan(...titles: readonly string[]): BuildEvent {
  const steps = titles.map((title, index): StepInfo => ({ id: index + 1, title, range }));
  return { type: "plan", steps };
}

export function start(step: number, atMs = 0): BuildEvent {
  return { type: "step-start", step, atMs };
}

export function output(step: number, text: string | Uint8Array, stream: "stdout" | "stderr" = "stdout"): BuildEvent {
  return { type: "step-output", step, stream, chunk: typeof text === "string" ? Buffer.from(text) : text };
}

export function end(step: number, outcome: "done" | "cached" | "failed" | "cancelled", atMs = 0, more: object = {}): BuildEvent {
  return { type: "step-end", step, outcome, atMs, ...more };
}

export const warning: BuildEvent = { type: "warning", message: "stage names are compared in lower case", range };

export const image: BuildEvent = {
  type: "image",
  pushed: [],
  imageId: `sha256:${"1a".repeat(32)}`,
  manifestDigest: `sha256:${"2b".repeat(32)}`,
  names: ["app:latest", "app:v1"],
  sizeBytes: 45_200_000,
};

/** Events, and numbers: the clock goes on so many milliseconds in steps of the renderer's tick, with a tick after each. */
export function play(make: (io: RendererIo) => Renderer, script: readonly (BuildEvent | number)[]): string[] {
  const written: string[] = [];
  let nowMs = 0;
  const renderer = make({ write: (text) => void written.push(text), now: () => nowMs });
  for (const item of script) {
    if (typeof item !== "number") {
      renderer.handle(item);
      continue;
    }
    for (const until = nowMs + item; nowMs < until; ) {
      nowMs = Math.min(nowMs + renderer.tickMs, until);
      renderer.tick();
    }
  }
  renderer.close();
  return written;
}
