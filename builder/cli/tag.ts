import { command } from "./command.ts";
import { withStore } from "./open-store.ts";
import { storeFlags } from "./store-flag.ts";

export const tag = command(
  {
    name: "tag",
    operands: "IMAGE NAME",
    summary: "Give an image another name; an image that has the name loses it.",
    flags: storeFlags,
    examples: ["tsbuild tag app app:v1", "tsbuild tag 3fa85f64 app"],
  },
  { min: 2, max: 2 },
  ({ flags, operands: [image = "", name = ""] }, io) =>
    withStore(flags, io, async (store) => {
      await store.images.tag(await store.images.open(image), name);
      return 0;
    }),
);
