import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CLI_PATH } from "./cli.ts";
import { command } from "./command.ts";
import { temporaryDirectory } from "./temporary.ts";

/** Runs `tsbuild` as its first line says, which must succeed, and answers the most memory that it had at once (bytes, resident). */
export async function peakMemory(args: readonly string[], cli: string = CLI_PATH): Promise<number> {
  const report = join(temporaryDirectory("peak"), "peak");
  const [, , , ...flags] = readFileSync(cli, "utf8").split("\n", 1)[0]?.split(" ") ?? [];
  const argv: [string, ...string[]] = [process.execPath, "--import", join(import.meta.dirname, "report-peak.mjs"), ...flags, cli, ...args];
  const { code, stdout, stderr } = await command(argv, { env: { ...process.env, TSBUILD_TEST_PEAK_FILE: report } });
  if (code !== 0) throw new Error(`tsbuild ${args.join(" ")}: exit code ${code}\n${stdout}${stderr}`);
  return Number(readFileSync(report, "utf8"));
}
