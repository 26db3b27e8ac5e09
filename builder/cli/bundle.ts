import { loadSettings } from "../config.ts";
import { transferDisplay } from "../progress/transfers.ts";
import { command } from "./command.ts";
import { containerFlags, readContainer } from "./container-flags.ts";

export const bundle = command(
  {
    name: "bundle",
    operands: "IMAGE DIR [COMMAND…]",
    summary:
      "Write an OCI runtime bundle, which runc and crun run: the files of an image, and a config.json that allows the command what tsbuild run would. DIR is new, or empty. Made by others than root it runs in a user namespace with their id alone (runc run, as the same user).",
    flags: {
      ...containerFlags,
      network: {
        value: "MODE",
        choices: ["none", "host"],
        help: "Network of the container: one of its own with nothing but loopback, which others may fill (none), or the host's",
      },
    },
    examples: [
      "tsbuild bundle app bundle && runc run -b bundle app",
      "tsbuild bundle --network host -v ./data:/data app bundle server --port 80",
    ],
    stopAtOperand: true,
  },
  { min: 2, max: Number.POSITIVE_INFINITY },
  async ({ flags, operands: [image = "", directory = "", ...words] }, io) => {
    const settings = await loadSettings({ env: io.env });
    const container = await readContainer(flags, [image, ...words], io, settings);
    const display = transferDisplay(io, { quiet: flags.quiet ?? false });
    try {
      const { bundleImage } = await import("../bundle.ts");
      const { onEvent: onTransfer, onNote } = display;
      await bundleImage({ ...container, directory, network: flags.network ?? "none", onTransfer, onNote, signal: io.signal });
      return 0;
    } finally {
      display.close();
    }
  },
);
