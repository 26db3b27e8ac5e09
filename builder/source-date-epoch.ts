import { TsbuildError } from "../store/errors.ts";
import type { BuildSite } from "./build-site.ts";
import { archiveTime } from "./context/archive-time.ts";
import type { Dockerfile } from "./dockerfile/instruction.ts";
import { placedError } from "./placed-error.ts";
import type { GitSource, HttpSource } from "./plan/operation.ts";
import { epochName } from "./plan/predefined-args.ts";
import { publicUrl } from "./plan/public-url.ts";
import { lastSecond } from "./plan/rfc3339.ts";
import { type EpochSource, epochSource } from "./plan/source-date-epoch.ts";

/** A site whose build has a time, or none: in the Dockerfile and the build arguments it is a number wherever it was a word. */
export interface DatedSite extends BuildSite {
  /** Seconds; absent: file times are what they are. */
  readonly epoch?: number;
}

/**
 * Finds out what time the build has, which may take a look at a context, a repository or the web. A note says so where what is named has no time. Throws INVALID_EPOCH, GIT_FAILED,
 * GIT_MISSING, and as Contexts and RemoteSources.
 */
export async function dateSite(site: BuildSite): Promise<DatedSite> {
  const { dockerfile, planOptions, options } = site;
  const given = options.sourceDateEpoch;
  const source = epochSource(dockerfile, planOptions, given);
  if (source === undefined) return site;
  const found = await timeOf(source, site);
  const epoch = found === undefined ? undefined : Math.min(Math.max(found, 0), lastSecond);
  const { [epochName]: written = given, ...others } = planOptions.buildArgs;
  const value = epoch === undefined ? {} : { [epochName]: `${epoch}` };
  return {
    ...site,
    dockerfile: withDefault(dockerfile, epoch),
    // A default before the first FROM stays one, so that the ARG of a stage may have another.
    planOptions: { ...planOptions, buildArgs: written === undefined ? others : { ...others, ...value } },
    ...(epoch === undefined ? {} : { epoch }),
  };
}

async function timeOf(source: EpochSource, site: BuildSite): Promise<number | undefined> {
  const { contexts } = site;
  switch (source.from) {
    case "number":
      return source.seconds;
    case "nothing":
      return undefined;
    case "commit":
      return commitTime(site);
    case "context": {
      const { name } = source;
      const what = name === undefined ? contexts.main.describe : `the context "${name}"`;
      const more = name === undefined && contexts.main.root !== undefined ? "; --source-date-epoch git takes that of the last commit" : "";
      return (await contexts.time(name)) ?? noted(what, more, site);
    }
    case "remote": {
      const time = await remoteTime(source.source, site).catch((error: unknown) => {
        throw placedError(error, site.options.store, site.dockerfile, source.range);
      });
      return time ?? noted(publicUrl(source.source.kind === "git" ? source.source.remote : source.source.url), "", site);
    }
  }
}

function noted(what: string, more: string, { onNote }: BuildSite): undefined {
  onNote(`${epochName} is not set: ${what} has no time of its own${more}`);
}

async function commitTime({ contexts, options, signal }: BuildSite): Promise<number | undefined> {
  const { root, describe } = contexts.main;
  if (root !== undefined) {
    const { headTime } = await import("./fetch/git-head.ts");
    return headTime(root, { environment: options.environment, signal });
  }
  if (typeof options.context === "object" && options.context.kind === "git") return contexts.time();
  throw new TsbuildError("INVALID_EPOCH", `reading ${epochName}: git stands for the last commit, and ${describe} is in no repository`, {
    hint: "it is for contexts that are directories or repositories",
  });
}

async function remoteTime(source: HttpSource | GitSource, { remote, signal }: BuildSite): Promise<number | undefined> {
  const sources = await remote();
  if (source.kind === "git") return (await sources.git(source)).time();
  const { path, lastModified } = await sources.http(source);
  return lastModified ?? archiveTime(path, { signal });
}

/** The same Dockerfile, but for the default that the ARG before the first FROM has. */
function withDefault(dockerfile: Dockerfile, epoch: number | undefined): Dockerfile {
  const value = epoch === undefined ? {} : { value: `${epoch}` };
  const globals = dockerfile.globals.map((instruction) => ({
    ...instruction,
    args: instruction.args.map((arg) => (arg.name !== epochName || arg.value === undefined ? arg : { name: arg.name, ...value })),
  }));
  return { ...dockerfile, globals };
}
