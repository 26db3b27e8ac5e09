import { command } from "./command.ts";
import { formatJson } from "./format-flag.ts";
import { withStore } from "./open-store.ts";
import { storeFlags } from "./store-flag.ts";

export const inspect = command(
  {
    name: "inspect",
    operands: "IMAGE",
    summary: "Show all about an image as a JSON object: names, ids, platform, configuration, layers and history.",
    flags: {
      format: { short: "f", value: "FORMAT", choices: ["json"], help: "How to print (json)" },
      ...storeFlags,
    },
    foreign: {
      latest: { short: "l", missing: "there is nothing but images" },
      platform: { value: true, missing: "of several platforms this machine's is shown" },
      size: { short: "s", note: "the size is always shown" },
      type: { value: true, off: "image", missing: "there is nothing but images" },
    },
    examples: ["tsbuild inspect app", "tsbuild inspect app | jq .config.Env"],
  },
  { min: 1, max: 1 },
  ({ flags, operands: [name = ""] }, io) =>
    withStore(flags, io, async (store) => {
      const { names, imageId, descriptor, manifest, config, layers } = await store.images.open(name);
      const { rootfs: _, history, config: container, ...about } = config;
      const described = {
        names,
        imageId,
        manifest: descriptor,
        ...about,
        sizeBytes: layers.reduce((sum, { blob }) => sum + blob.size, 0),
        config: container ?? {},
        layers: layers.map(({ diffId, blob }) => ({ diffId, ...blob })),
        history: history ?? [],
        annotations: manifest.annotations ?? {},
      };
      io.stdout.write(formatJson(described));
      return 0;
    }),
);
