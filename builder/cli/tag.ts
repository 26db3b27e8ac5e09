import { parseNewName } from "../../store/image-names.ts";
import { familiarName, refuseScratch } from "../../store/reference.ts";
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
      const reference = parseNewName(name);
      refuseScratch(reference);
      const tagged = await store.images.open(image);
      const bearer = await store.images.resolve(familiarName(reference));
      await store.images.tag(tagged, name);
      if (bearer !== undefined && bearer.names.length === 1 && bearer.listed.digest !== tagged.listed.digest)
        io.stderr.write(`note: ${bearer.imageId} had no other name and is listed no more\n`);
      return 0;
    }),
);
