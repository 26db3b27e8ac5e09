import type { Renderer } from "./renderer.ts";

/** Shows nothing but the image id, when there is one. */
export function quietRenderer(writeResult: (text: string) => void): Renderer {
  return {
    tickMs: 60_000,
    handle(event) {
      if (event.type === "image") writeResult(`${event.imageId}\n`);
    },
    tick() {},
    close() {},
  };
}
