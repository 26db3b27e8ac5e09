import { diffConfigs } from "../../store/config-diff.ts";
import { diffRootfs } from "../../store/layer/rootfs-diff.ts";
import { openRootfs } from "../../store/open-rootfs.ts";
import { harmless } from "../progress/terminal-text.ts";
import { command } from "./command.ts";
import { configLine, describeFile, fileLine } from "./difference-text.ts";
import { formatFlags, formatJson } from "./format-flag.ts";
import { withStore } from "./open-store.ts";
import { platformFlags, platformOfFlag } from "./platform-flag.ts";
import { storeFlags } from "./store-flag.ts";

export const diff = command(
  {
    name: "diff",
    operands: "IMAGE IMAGE",
    summary:
      "Show in what two images differ: fields of the configuration, and files. Exit code 0: in nothing; 1: in something; 2: they cannot be compared.",
    flags: {
      "ignore-times": { help: "Leave out when files were changed and the image was made" },
      ...platformFlags,
      ...formatFlags,
      ...storeFlags,
    },
    examples: ["tsbuild diff app:v1 app:v2", "tsbuild diff --ignore-times --format json app:v1 app:v2"],
  },
  { min: 2, max: 2 },
  ({ flags, operands }, io) =>
    withStore(flags, io, async (store) => {
      const options = { times: !(flags["ignore-times"] ?? false) };
      const open = async (name = "") => {
        const image = await store.images.open(name, platformOfFlag(flags));
        return { image, rootfs: await openRootfs(store.layers, image.layers) };
      };
      const [a, b] = [await open(operands[0]), await open(operands[1])];
      const config = diffConfigs(a.image.config, b.image.config, options);
      const files = [...diffRootfs(a.rootfs, b.rootfs, options)];
      if (flags.format === "json") io.stdout.write(formatJson({ config, files: files.map(describeFile) }));
      else
        io.stdout.write(
          [...config.map(configLine), ...files.map(fileLine)].map((line) => `${harmless(line, { colors: false })}\n`).join(""),
        );
      return config.length + files.length === 0 ? 0 : 1;
    }),
  { exitCodeOf: () => 2 },
);
