import { noteLine } from "./note-line.ts";
import type { Renderer } from "./renderer.ts";

/**
 * Shows the image id, when there is one, and what a script has to hear of too: what changes the result, or what steps can reach. Warnings of the checks are about the text of the
 * Dockerfile, and not among them.
 */
export function quietRenderer(writeResult: (text: string) => void, write: (text: string) => void): Renderer {
  return {
    tickMs: 60_000,
    handle(event) {
      if (event.type === "image") writeResult(`${event.imageId}\n`);
      if ((event.type === "note" && !event.passing) || (event.type === "warning" && event.rule === undefined)) write(noteLine(event));
    },
    tick() {},
    close() {},
  };
}
