import { command } from "./command.ts";
import { withLimitedStore } from "./keep-store-limits.ts";
import { note } from "./note.ts";
import { requireNamedStore } from "./open-store.ts";
import { storeFlags } from "./store-flag.ts";
import { readEpoch } from "./values.ts";

export const commit = command(
  {
    name: "commit",
    operands: "NAME IMAGE",
    summary:
      "Make an image of a container that tsbuild run --keep NAME has kept: a layer of what its command changed on top of its image. Command, user and directory are the container's; variables that were given to run are not taken along.",
    flags: {
      author: { short: "a", value: "TEXT", help: "Author of the image" },
      change: {
        short: "c",
        value: "INSTRUCTION",
        many: true,
        help: "Dockerfile instruction for the image's configuration: 'CMD [\"sh\"]', 'ENV A=1'",
      },
      message: { short: "m", value: "TEXT", help: "Comment in the image's history" },
      ...storeFlags,
    },
    foreign: {
      pause: { short: "p", note: "only a container that has ended can be committed" },
      "no-pause": { note: "only a container that has ended can be committed" },
      quiet: { short: "q", note: "only the image id is printed in any case" },
    },
    examples: ["tsbuild commit work app:try", "tsbuild commit -c 'CMD [\"/app\"]' -m 'by hand' work app"],
  },
  { min: 2, max: 2 },
  ({ flags, operands: [container = "", name = ""] }, io) => {
    requireNamedStore(flags, io);
    return withLimitedStore(flags, io, async (store) => {
      const { commitContainer } = await import("../commit-container.ts");
      const epoch = io.env.SOURCE_DATE_EPOCH ? readEpoch("$SOURCE_DATE_EPOCH", io.env.SOURCE_DATE_EPOCH) : undefined;
      const { imageId } = await commitContainer(store, container, {
        name,
        changes: flags.change ?? [],
        ...(flags.message === undefined ? {} : { message: flags.message }),
        ...(flags.author === undefined ? {} : { author: flags.author }),
        nowMs: epoch === undefined ? Date.now() : epoch * 1000,
        onNote: (message) => note(io, message),
        signal: io.signal,
      });
      io.stdout.write(`${imageId}\n`);
      return 0;
    });
  },
);
