import { TsbuildError } from "../../runtime-addon/index.ts";
import { loadSettings } from "../config.ts";
import { transferDisplay } from "../progress/transfers.ts";
import type { RunOptions } from "../run-options.ts";
import { attached } from "./attached.ts";
import { command } from "./command.ts";
import { containerFlags, readContainer } from "./container-flags.ts";
import { foreignRunFlags } from "./foreign-flags.ts";
import { keepStoreLimits } from "./keep-store-limits.ts";
import { networkFlag } from "./network-flag.ts";
import { note } from "./note.ts";
import { readAllPorts } from "./published-ports.ts";
import { UsageError } from "./usage-error.ts";
import { invalid, readInteger, readSignal } from "./values.ts";

const flags = {
  rm: { help: "Remove the container when it ends, which is done unless it is kept" },
  keep: { value: "NAME", help: "Keep what the command changes, under this name: for tsbuild ps, commit and rm" },
  interactive: { short: "i", help: "Let the command read standard input" },
  tty: { short: "t", help: "Give the command a terminal" },
  publish: {
    short: "p",
    value: "HOST:CONTAINER",
    many: true,
    help: "Port of the host that leads to one of the container: 8080:80, a range (8000-8002:80-82), or a free one (127.0.0.1::80)",
  },
  network: {
    ...networkFlag,
    help: "Network of the container: its own where this machine can make one, else the host's (default); its own (isolated); the host's; or none",
  },
  userns: { value: "MODE", choices: ["auto", "host"], help: "Whether root too has the container in a user namespace (host)" },
  "stop-signal": {
    value: "SIGNAL",
    help: "What the command gets when tsbuild gets SIGTERM (the image's STOPSIGNAL, else SIGTERM); other signals are passed on as they are",
  },
  "stop-timeout": { value: "SECONDS", help: "How long it then may take before it is killed; -1 is for ever (10)" },
  init: { help: "The command has an init process above it, which is always so" },
  "host-ca": { help: "The container sees the host's CA certificates" },
  ...containerFlags,
} as const;

/** 126 and 127 as shells use them, 125 for whatever else kept the container from running. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof TsbuildError)) return 125;
  return error.code === "COMMAND_NOT_FOUND" ? 127 : error.code === "COMMAND_NOT_EXECUTABLE" ? 126 : 125;
}

export const run = command(
  {
    name: "run",
    operands: "IMAGE [COMMAND…]",
    summary:
      "Run a command in a new container of an image. The exit code is the command's own, 128 + n when signal n ended it, 125 when the container could not be made, 126 when the command cannot be executed and 127 when there is no such command.",
    flags,
    foreign: foreignRunFlags,
    examples: ["tsbuild run --rm -p 8080:8080 app", "tsbuild run --rm -it -v ./src:/src:ro debian bash"],
    stopAtOperand: true,
  },
  { min: 1, max: Number.POSITIVE_INFINITY },
  async ({ flags, operands }, io) => {
    const settings = await loadSettings({ env: io.env });
    if (flags.tty && flags.interactive && io.stdin.isTTY !== true) {
      throw new UsageError("NOT_A_TERMINAL", "reading the command line: -t was given with -i, and standard input is not a terminal", {
        hint: "leave out -t",
      });
    }
    if (flags.keep !== undefined && flags.rm === true)
      throw invalid("--keep", flags.keep, "is to be kept, and --rm removes it", "leave out --rm");
    const ports = readAllPorts("--publish", flags.publish ?? []);
    const network = flags.network ?? settings.network ?? "default";
    if (ports.length > 0 && network === "none") note(io, "--publish: nothing reaches a container without a network (none)");
    const display = transferDisplay(io, { quiet: flags.quiet ?? false });
    const options: RunOptions = {
      ...(await readContainer(flags, operands, io, settings)),
      ...(flags.keep === undefined ? {} : { keep: flags.keep }),
      interactive: flags.interactive ?? false,
      tty: flags.tty ?? false,
      network,
      userns: flags.userns ?? settings.userns ?? "host",
      ports,
      ...(flags["stop-signal"] === undefined ? {} : { stopSignal: readSignal("--stop-signal", flags["stop-signal"]) }),
      ...(flags["stop-timeout"] === undefined ? {} : { stopTimeoutSeconds: readInteger("--stop-timeout", flags["stop-timeout"], -1) }),
      hostCa: flags["host-ca"] ?? settings.hostCa ?? false,
      onTransfer: display.onEvent,
      onNote: display.onNote,
      // From then on the terminal is the command's.
      ...attached(io, () => display.close()),
    };
    const { runContainer } = await import("../run-container.ts");
    try {
      return await runContainer(options);
    } finally {
      display.close();
      await keepStoreLimits(options.store, settings, io);
    }
  },
  { exitCodeOf },
);
