import type { CliIo } from "./cli-io.ts";
import type { Command } from "./command.ts";
import type { CommandName } from "./command-names.ts";

/** What a command is; each file is loaded only when its command is used. */
export const loaders: Readonly<Record<CommandName, () => Promise<Command>>> = {
  build: async () => (await import("./build.ts")).build,
  run: async () => (await import("./run.ts")).run,
  shell: async () => (await import("./shell.ts")).shell,
  ps: async () => (await import("./ps.ts")).ps,
  rm: async () => (await import("./rm.ts")).rm,
  commit: async () => (await import("./commit.ts")).commit,
  bundle: async () => (await import("./bundle.ts")).bundle,
  import: async () => (await import("./import.ts")).importImage,
  images: async () => (await import("./images.ts")).images,
  inspect: async () => (await import("./inspect.ts")).inspect,
  history: async () => (await import("./history.ts")).history,
  diff: async () => (await import("./diff.ts")).diff,
  tag: async () => (await import("./tag.ts")).tag,
  index: async () => (await import("./make-index.ts")).makeIndex,
  rmi: async () => (await import("./rmi.ts")).rmi,
  df: async () => (await import("./df.ts")).df,
  prune: async () => (await import("./prune.ts")).prune,
  verify: async () => (await import("./verify.ts")).verify,
  save: async () => (await import("./save.ts")).save,
  export: async () => (await import("./export.ts")).exportImage,
  load: async () => (await import("./load.ts")).load,
  pull: async () => (await import("./pull.ts")).pull,
  push: async () => (await import("./push.ts")).push,
  copy: async () => (await import("./copy.ts")).copy,
  attach: async () => (await import("./attach.ts")).attach,
  "ls-remote": async () => (await import("./ls-remote.ts")).lsRemote,
  login: async () => (await import("./login.ts")).login,
  logout: async () => (await import("./logout.ts")).logout,
  info: async () => (await import("./info.ts")).info,
  version: async () => (await import("./version.ts")).versionCommand,
};

/** Runs a command. Resolves to the exit code; errors are printed, not thrown. */
export async function runCommand(name: CommandName, argv: readonly string[], io: CliIo): Promise<number> {
  let command: Command | undefined;
  try {
    command = await loaders[name]();
    return await command.main(argv, io);
  } catch (error) {
    const { reportError } = await import("./report-error.ts");
    const usual = reportError(error, io);
    return usual === 130 ? usual : (command?.exitCodeOf?.(error) ?? usual);
  }
}
