import { holdContainer } from "../../store/containers.ts";
import { holdEnded } from "../../store/end-request.ts";
import { NotFoundError } from "../../store/errors.ts";
import { emptyTrash, moveToTrash } from "../../store/gc/trash.ts";
import { nameSystemError } from "../../store/name-system-error.ts";
import { command } from "./command.ts";
import { openMappedTrash } from "./mapped-trash.ts";
import { note } from "./note.ts";
import { withStore } from "./open-store.ts";
import { reportError } from "./report-error.ts";
import { storeFlags } from "./store-flag.ts";

export const rm = command(
  {
    name: "rm",
    operands: "NAME…",
    summary: "Remove containers that tsbuild run --keep NAME has kept, with what their commands changed.",
    flags: { force: { short: "f", help: "End a container that runs, by SIGKILL; one that is not there is no error" }, ...storeFlags },
    foreign: {
      all: { short: "a", missing: "containers are removed by their names: tsbuild rm $(tsbuild ps -q)" },
      link: { short: "l", missing: "there are no links" },
      volumes: { short: "v", note: "there are no volumes" },
    },
    examples: ["tsbuild rm work"],
  },
  { min: 1, max: Number.POSITIVE_INFINITY },
  ({ flags, operands }, io) =>
    withStore(flags, io, async (store) => {
      let code = 0;
      for (const name of operands) {
        try {
          await using held = flags.force ? await holdEnded(store, name, { signal: io.signal }) : await holdContainer(store, name);
          moveToTrash(store.root, held.directory);
          io.stdout.write(`${name}\n`);
        } catch (error) {
          if (flags.force && error instanceof NotFoundError) continue;
          // The others are removed all the same, as docker rm does.
          code = reportError(nameSystemError(error, store.root), io);
        }
      }
      await using trash = openMappedTrash(store, (message) => note(io, message));
      await emptyTrash(store.root, trash.remove);
      return code;
    }),
);
