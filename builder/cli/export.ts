import { exportRootfs } from "../../store/archive/export-rootfs.ts";
import { openPinned } from "../../store/pinned-image.ts";
import { archiveDestination } from "./archive-destination.ts";
import { command } from "./command.ts";
import { note } from "./note.ts";
import { withStore } from "./open-store.ts";
import { storeFlags } from "./store-flag.ts";

export const exportImage = command(
  {
    name: "export",
    operands: "IMAGE",
    summary:
      "Write the files that a container of an image sees at its start: as a tar, or into a directory, where they come among the files that it has. Owners, setuid bits, devices and extended attributes are made in a directory by root alone.",
    flags: {
      output: {
        short: "o",
        value: "FILE|DIR/",
        help: "Where to write: a file, or a directory (with a slash at the end if it is new)",
      },
      ...storeFlags,
    },
    examples: ["tsbuild export app -o root.tar", "tsbuild export app -o root/", "tsbuild export app | tar -t"],
  },
  { min: 1, max: 1 },
  ({ flags, operands: [text = ""] }, io) => {
    const destination = archiveDestination(flags.output, undefined, io);
    return withStore(flags, io, async (store) => {
      const { layers } = await openPinned(store, text);
      await exportRootfs(store, [{ layers }], destination, { signal: io.signal, onNote: (message) => note(io, message) });
      return 0;
    });
  },
);
