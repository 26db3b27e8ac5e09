import { version } from "../version.ts";
import type { Command } from "./command.ts";
import type { CommandSpec } from "./flags.ts";

const spec: CommandSpec = { name: "version", operands: "", summary: "Show the version.", flags: {}, examples: ["tsbuild version"] };

export const versionCommand: Command = {
  spec,
  async main(argv, io) {
    if (argv.length > 0) {
      // Loaded only now: this command is as fast as the program can start.
      const { command } = await import("./command.ts");
      return command(spec, { min: 0, max: 0 }, () => versionCommand.main([], io)).main(argv, io);
    }
    io.stdout.write(`tsbuild ${version}\n`);
    return 0;
  },
};
