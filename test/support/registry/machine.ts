import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type CliOptions, mustTsbuild, tsbuild } from "../cli.ts";
import type { CommandResult } from "../command.ts";
import { temporaryDirectory } from "../temporary.ts";
import type { TestUser } from "../users.ts";

/** What one user of one machine has: a home with settings and credentials of their own, and a store. */
export interface Machine {
  readonly home: string;
  readonly store: string;
  /** Runs tsbuild there. */
  run(args: readonly string[], options?: Pick<CliOptions, "stdin" | "env">): Promise<CommandResult>;
  /** As `run`, for what must succeed: stdout without its last line's end. */
  must(args: readonly string[], options?: Pick<CliOptions, "stdin" | "env">): Promise<string>;
  /** Writes a file of the home; ".config/tsbuild/tsbuild.toml" are the user's settings. */
  write(path: string, text: string): void;
}

/** Variables that would lead out of the home. */
const elsewhere = ["DOCKER_CONFIG", "DOCKER_AUTH_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_DATA_HOME"];
const proxies = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"];

/** A machine that nobody has used yet; as seen by `user`, else by ourselves. Gone when the test file is done. */
export function newMachine(user?: TestUser): Machine {
  const home = user?.home ?? temporaryDirectory("home");
  const store = join(home, "store");
  const none = Object.fromEntries(
    [...elsewhere, ...proxies, ...proxies.map((name) => name.toLowerCase())].map((name) => [name, undefined]),
  );
  const options = ({ env, ...rest }: Pick<CliOptions, "stdin" | "env"> = {}): CliOptions => ({
    ...rest,
    store,
    env: { ...none, HOME: home, XDG_CONFIG_HOME: join(home, ".config"), ...env },
    ...(user === undefined ? {} : { user }),
  });
  return {
    home,
    store,
    run: (args, changes) => tsbuild(args, options(changes)),
    must: async (args, changes) => (await mustTsbuild(args, options(changes))).trimEnd(),
    write(path, text) {
      const file = join(home, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    },
  };
}

/** Where a machine's user has their settings. */
export const settingsFile = ".config/tsbuild/tsbuild.toml";
