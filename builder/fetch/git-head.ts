import { TsbuildError } from "../../store/errors.ts";
import type { Abortable } from "../../store/file-bytes.ts";
import { defaultRegistrySettings } from "../../store/registry/settings.ts";
import { committerTime } from "./git-checkout.ts";
import { runGit } from "./git-command.ts";
import { type GitEnvironmentOptions, gitEnvironment } from "./git-environment.ts";
import { gitWords } from "./git-failure.ts";

export interface HeadTimeOptions extends Abortable, Pick<GitEnvironmentOptions, "environment"> {}

/**
 * Seconds since the epoch: when the last commit of the repository was made that a directory of the host is in. Nothing is written, and nothing that the repository's own configuration
 * names is run. Throws GIT_FAILED, also where there is no repository or no commit, and GIT_MISSING.
 */
export async function headTime(directory: string, { environment, signal }: HeadTimeOptions): Promise<number> {
  const settings = defaultRegistrySettings;
  const env = gitEnvironment({ environment, proxy: {}, settings, folder: directory }, { lookUp: true });
  const ended = await runGit(["cat-file", "commit", "HEAD"], { cwd: directory, env, signal, silenceMs: settings.stallTimeoutMs });
  if (ended.code === 0) return committerTime(ended.output);
  throw new TsbuildError("GIT_FAILED", `looking for the last commit of the repository that ${directory} is in: ${gitWords(ended)}`, {
    hint: "a number of seconds can be given, too",
  });
}
