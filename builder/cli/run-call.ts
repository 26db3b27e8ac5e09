import type { BuildOptions } from "../options.ts";
import type { Call } from "./call-flags.ts";
import { printCheck } from "./check-output.ts";
import type { CliIo } from "./cli-io.ts";
import { printOutline, printTargets } from "./outline-output.ts";

/** Does what is asked for instead of a build, prints it, and returns the exit code. */
export async function runCall(
  call: Call & { readonly method: "check" | "outline" | "targets" },
  options: BuildOptions,
  io: CliIo,
): Promise<number> {
  if (call.method === "check") {
    const { check } = await import("../check.ts");
    return printCheck(await check(options), call, io);
  }
  const { describeTarget, describeTargets } = await import("../describe.ts");
  if (call.method === "outline") {
    const { outline, source } = await describeTarget(options);
    printOutline(outline, source, call.format, io);
  } else {
    const { targets, source } = await describeTargets(options);
    printTargets(targets, source, call.format, io);
  }
  return 0;
}
