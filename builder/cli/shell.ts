import { loadSettings } from "../config.ts";
import type { StepPlace } from "../cut-at.ts";
import { openDisplay } from "../progress/display.ts";
import { transferDisplay } from "../progress/transfers.ts";
import type { ShellOptions } from "../shell.ts";
import { attached } from "./attached.ts";
import { buildFlags, readBuild } from "./build.ts";
import type { CliIo } from "./cli-io.ts";
import { command } from "./command.ts";
import type { FlagTable, ForeignFlag } from "./flags.ts";
import { foreignBuildFlags } from "./foreign-flags.ts";
import { note } from "./note.ts";
import { pullPolicy, registryOptions } from "./registry-flags.ts";
import { exitCodeOf } from "./run.ts";
import { readSecrets } from "./secret-flags.ts";
import { storeRootOf } from "./store-flag.ts";
import { UsageError } from "./usage-error.ts";
import { invalid } from "./values.ts";

const { tag, label, annotation, output, push, load, squash, iidfile, quiet, check, call, explain, ...others } = buildFlags;
const { "squash-all": squashAll, "metadata-file": metadataFile, "dry-run": dryRun, format, ...ofBuild } = others;

/** They are accepted, so that the command line of a build can be taken as it is. */
const ofImages: FlagTable = {
  ...{ tag, label, annotation, output, push, load, squash, iidfile, quiet },
  ...{ "squash-all": squashAll, "metadata-file": metadataFile },
};
const withoutImage = Object.entries(ofImages).map(([name, { short, value }]): [string, ForeignFlag] => [
  name,
  { ...(short === undefined ? {} : { short }), value: value !== undefined, note: "no image is made" },
]);

/** What is done instead of building. */
const insteadOfBuild = Object.keys({ check, call, explain, format, "dry-run": dryRun }).map((name): [string, ForeignFlag] => [
  name,
  { missing: "only tsbuild build has it" },
]);

export const shell = command(
  {
    name: "shell",
    operands: "[IMAGE | PATH | URL]",
    summary:
      "Open a shell in the RUN step that failed last, as its command left it; with --at in any step of a build, which is built as far as that, and with the mounts of a RUN; with IMAGE in an image. It is bash, or sh where there is no bash. What is changed in it is thrown away, but for what is in cache mounts: the next build goes on from the steps before.",
    flags: {
      at: {
        value: "LINE|[STAGE:]STEP",
        help: "A line of the Dockerfile, or STAGE:2, or :2, for the step that builds show as [STAGE 2/5]; the operand is the context",
      },
      before: { help: "Before that step instead of after it" },
      command: { short: "c", value: "COMMAND", help: "What the shell does instead of reading a terminal" },
      ...ofBuild,
    },
    foreign: { ...foreignBuildFlags, ...Object.fromEntries([...withoutImage, ...insteadOfBuild]) },
    examples: [
      "tsbuild shell",
      "tsbuild shell -c 'cat npm-debug.log'",
      "tsbuild shell --at 12 --before .",
      "tsbuild shell --at builder:3 --target app .",
      "tsbuild shell app",
    ],
  },
  { min: 0, max: 1 },
  async ({ flags, operands: [operand], argv }, io) => {
    if (flags.at === undefined && flags.before === true)
      throw new UsageError("MISSING_VALUE", "reading the command line: --before needs --at");
    if (flags.at !== undefined) {
      const { shellAt } = await import("../shell-at.ts");
      const place: StepPlace = { at: readPlace(flags.at), before: flags.before ?? false };
      const { options, settings } = await readBuild({ flags, context: operand ?? ".", argv }, io);
      const display = openDisplay(flags.progress ?? settings.progress ?? "auto", { ...io, stdout: io.stderr });
      try {
        const close = () => display.close();
        return await shellAt({ ...options, onEvent: display.onEvent }, place, shellOptions(flags.command, io, close), close);
      } finally {
        display.close();
      }
    }
    const { shellCommand, shellInFailed } = await import("../shell.ts");
    const settings = await loadSettings({ env: io.env });
    const store = await storeRootOf(flags, io, settings);
    const limits = settings.unpackLimits === undefined ? {} : { unpackLimits: settings.unpackLimits };
    if (operand === undefined)
      return shellInFailed(
        store,
        shellOptions(flags.command, io, () => {}),
        { ...readSecrets(flags, io), ...limits, userns: flags.userns ?? settings.userns ?? "host" },
      );
    const display = transferDisplay(io, { quiet: false });
    try {
      const { runContainer } = await import("../run-container.ts");
      const { command: words, ...options } = shellOptions(flags.command, io, () => display.close());
      return await runContainer({
        ...options,
        store,
        ...limits,
        image: operand,
        entrypoint: shellCommand(words),
        pull: pullPolicy(flags.pull),
        registry: await registryOptions(flags, io, settings),
        onTransfer: display.onEvent,
      });
    } finally {
      display.close();
    }
  },
  { exitCodeOf },
);

/** Words are for a shell of their own; on a terminal without any it is an interactive one, else it reads its script from standard input. */
function shellOptions(words: string | undefined, io: CliIo, onRunning: () => void): ShellOptions {
  const onTerminal = io.stdin.isTTY === true && io.stdout.isTTY === true;
  return {
    ...attached(io, onRunning),
    command: words === undefined ? [] : ["/bin/sh", "-c", words],
    env: {},
    interactive: words === undefined || io.stdin.isTTY !== true,
    tty: onTerminal,
    onNote: (message) => note(io, message),
  };
}

function readPlace(text: string): StepPlace["at"] {
  const [, line, stage, step] = /^(?:(\d{1,9})|([^:]*):(\d{1,9}))$/.exec(text) ?? [];
  if (line !== undefined && Number(line) > 0) return { line: Number(line) };
  if (step === undefined || Number(step) === 0)
    throw invalid("--at", text, "is neither a line nor STAGE:STEP", "write 12, builder:3 or :3");
  return { step: Number(step), ...(stage === undefined || stage === "" ? {} : { stage }) };
}
