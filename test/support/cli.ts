import { fileURLToPath } from "node:url";
import { type CommandOptions, type CommandResult, command } from "./command.ts";
import { temporaryPath } from "./temporary.ts";
import { asUser, type TestUser } from "./users.ts";

/** The checkout's root directory. */
export const CHECKOUT: string = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

export const CLI_PATH: string = `${CHECKOUT}/dist/tsbuild.js`;

export interface CliOptions extends Omit<CommandOptions, "env"> {
  /** The store's directory, given as TSBUILD_ROOT. Absent: none is given. */
  readonly store?: string;
  /** Added to the environment; undefined takes a variable out. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Run as this user instead of as ourselves. */
  readonly user?: TestUser;
  /** Put before the command, e.g. ["taskset", "1"]. */
  readonly prefix?: readonly string[];
}

/** Runs the built `tsbuild` with these arguments. What the caller's environment says about builds is not passed on. */
export function tsbuild(args: readonly string[], options: CliOptions = {}): Promise<CommandResult> {
  const { store, env = {}, user, prefix = [], ...rest } = options;
  const own = {
    ...(store === undefined ? {} : { TSBUILD_ROOT: store }),
    NO_COLOR: "1",
    ...env,
  };
  const cli = user === undefined ? CLI_PATH : `${user.checkout}/dist/tsbuild.js`;
  const node = user === undefined ? process.execPath : user.node;
  const [first = node, ...others] = [...prefix, node, "--", cli, ...args];
  const argv: [string, ...string[]] = [first, ...others];
  if (user !== undefined) return asUser(user, argv, { ...rest, env: own });
  const { TSBUILD_ROOT: _root, SOURCE_DATE_EPOCH: _epoch, ...inherited } = process.env;
  return command(argv, { ...rest, env: { ...inherited, ...own } });
}

/** As `tsbuild`, for steps of a test that must succeed: returns stdout, throws with all output otherwise. */
export async function mustTsbuild(args: readonly string[], options: CliOptions = {}): Promise<string> {
  const result = await tsbuild(args, options);
  if (result.code !== 0) throw new Error(`tsbuild ${args.join(" ")}: exit code ${result.code}\n${result.stdout}${result.stderr}`);
  return result.stdout;
}

/** Where a store can be; what is there is gone when the calling test file is done. */
export function temporaryStore(): string {
  return temporaryPath("store");
}
