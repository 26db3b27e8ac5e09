import { version } from "../version.ts";
import type { CliIo } from "./cli-io.ts";
import { isCommandName } from "./command-names.ts";

/**
 * Runs the command that the arguments name, `build` when they name none. Resolves to the exit code; errors are printed, not thrown. What is
 * asked most by scripts, the version, is answered without loading anything else.
 */
export async function dispatch(argv: readonly string[], io: CliIo): Promise<number> {
  const [first, ...rest] = argv;
  if ((first === "version" || first === "--version") && rest.length === 0) {
    io.stdout.write(`tsbuild ${version}\n`);
    return 0;
  }
  const asksForHelp = rest.length === 0 && (first === "--help" || first === "-h" || first === "help");
  if (first === undefined || asksForHelp) {
    const { overview } = await import("./overview.ts");
    (asksForHelp ? io.stdout : io.stderr).write(overview());
    return asksForHelp ? 0 : 2;
  }
  const { runCommand } = await import("./commands.ts");
  if (first === "--version") return runCommand("version", rest, io);
  if (first === "help" && rest[0] !== undefined && isCommandName(rest[0])) return runCommand(rest[0], ["--help"], io);
  const [name, words] = storeBehind(argv);
  return name !== undefined && isCommandName(name) ? runCommand(name, words, io) : runCommand("build", argv, io);
}

/** The first word and those after it; --store may stand before a command, as it has the same meaning for all. */
function storeBehind([first, ...rest]: readonly string[]): readonly [first: string | undefined, rest: readonly string[]] {
  const length = first === "--store" ? 1 : first?.startsWith("--store=") ? 0 : undefined;
  const name = length === undefined ? undefined : rest[length];
  if (first === undefined || length === undefined || name === undefined) return [first, rest];
  return [name, [first, ...rest.slice(0, length), ...rest.slice(length + 1)]];
}
