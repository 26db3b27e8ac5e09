import { version } from "../version.ts";
import { command } from "./command.ts";

export const versionCommand = command(
  { name: "version", operands: "", summary: "Show the version.", flags: {}, examples: ["tsbuild version"] },
  { min: 0, max: 0 },
  async (_, io) => {
    io.stdout.write(`tsbuild ${version}\n`);
    return 0;
  },
);
