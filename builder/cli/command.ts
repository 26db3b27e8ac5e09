import type { CliIo } from "./cli-io.ts";
import { type CommandSpec, type FlagTable, type ParsedFlags, parseFlags } from "./flags.ts";
import { commandHelp } from "./help.ts";
import { misplacedCommand } from "./misplaced-command.ts";
import { UsageError } from "./usage-error.ts";

/** A command of the program: its help page and what it does. */
export interface Command {
  readonly spec: CommandSpec;
  /** Exit code for an error that `main` threw, where it is not the usual one. */
  readonly exitCodeOf?: (error: unknown) => number;
  /** Resolves to the exit code. */
  main(argv: readonly string[], io: CliIo): Promise<number>;
}

/** What a command was given, read and as it was written. */
export type CommandArgs<Flags extends FlagTable> = ParsedFlags<Flags> & { readonly argv: readonly string[] };

/** A command that reads its flags, answers --help, checks the number of operands and then runs. */
export function command<const Flags extends FlagTable>(
  spec: CommandSpec<Flags>,
  operandCount: { readonly min: number; readonly max: number },
  run: (args: CommandArgs<Flags>, io: CliIo) => Promise<number>,
  options: { readonly exitCodeOf?: (error: unknown) => number } = {},
): Command {
  return {
    ...options,
    spec,
    async main(argv, io) {
      const args = parseFlags(spec, argv);
      if (args.help) {
        io.stdout.write(commandHelp(spec));
        return 0;
      }
      const count = args.operands.length;
      const [first] = args.operands;
      if (count < operandCount.min || count > operandCount.max) {
        const problem =
          count < operandCount.min
            ? `needs ${spec.operands}`
            : spec.operands === ""
              ? "takes no operands"
              : `takes no more than ${spec.operands}`;
        throw new UsageError(
          "WRONG_OPERANDS",
          `reading the command line: ${spec.name} ${problem}, got ${count === 0 ? "nothing" : args.operands.join(" ")}`,
          {
            hint:
              (spec.name === "build" && first !== undefined ? misplacedCommand(argv, first) : undefined) ?? `tsbuild ${spec.name} --help`,
          },
        );
      }
      // What changes nothing is not worth a word to those who want few.
      const isQuiet = "quiet" in args.flags && args.flags.quiet === true;
      for (const note of isQuiet ? [] : args.notes) io.stderr.write(`note: ${note}\n`);
      return run({ ...args, argv }, io);
    },
  };
}
