import { TsbuildError } from "../../store/errors.ts";
import { fileBytes } from "../../store/file-bytes.ts";
import type { Store } from "../../store/store.ts";
import type { RemoteSources } from "../fetch/remote-sources.ts";
import type { BuildOptions, ContextSource } from "../options.ts";
import type { HttpSource } from "../plan/operation.ts";
import { publicUrl } from "../plan/public-url.ts";
import { parseGitUrl, parseRemoteSource } from "../plan/remote-source.ts";
import { type DockerfileText, type GivenDockerfile, readDockerfile } from "../read-dockerfile.ts";
import type { ContextReader } from "../steps/context-inputs.ts";
import { contextRoot } from "./context-root.ts";
import { openDirectory } from "./directory-source.ts";
import { openGit } from "./git-source.ts";
import { isNothing } from "./named-context.ts";
import type { OpenContext, OpenedSource } from "./open-context.ts";
import { collectText } from "./small-text.ts";
import { openEmpty, openFetched, openFetchedFiles, openStream } from "./tar-source.ts";

/** Contexts by name, each opened when something first reads from it; no name is the build context. */
export interface Contexts {
  readonly main: OpenContext;
  /** The Dockerfile and its ignore file, read once. Throws as readDockerfile, and as RemoteSources.http where it is behind a URL. */
  dockerfile(): Promise<DockerfileText>;
  reader(name?: string): Promise<ContextReader>;
  /** Writes down what the build learned of them. */
  save(): Promise<void>;
}

export interface ContextsOptions {
  readonly main: ContextSource;
  readonly named: Readonly<Record<string, ContextSource>>;
  readonly dockerfile: BuildOptions["dockerfile"];
  /** BUILDKIT_CONTEXT_KEEP_GIT_DIR among them keeps .git of a build context from git. */
  readonly buildArgs: Readonly<Record<string, string>>;
  /** Asked for when something must be written: temporary files are its own, and go with it. */
  readonly store: () => Promise<Store>;
  /** What it checks out goes when it is closed. */
  readonly remote: () => Promise<RemoteSources>;
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/**
 * Opens the build context as far as its Dockerfile needs it, and looks whether the directories of the named ones are there. Throws CONTEXT_NOT_FOUND, CONTEXT_NOT_DIRECTORY,
 * CONTEXT_UNREADABLE, UNSUPPORTED_CONTEXT, what a broken archive throws, and as RemoteSources.
 */
export async function openContexts(options: ContextsOptions): Promise<Contexts> {
  const { named, remote } = options;
  for (const [name, source] of Object.entries(named)) {
    if (source.kind === "directory") await contextRoot(source.path, whatOf(name));
  }
  const main = await openSource(undefined, options.main, options);
  let text: Promise<DockerfileText> | undefined;
  const dockerfile = (): Promise<DockerfileText> => {
    text ??= fetchedDockerfile(options.dockerfile, remote).then((given) => readDockerfile(main.context, given));
    return text;
  };
  const readers = new Map<string | undefined, Promise<ContextReader>>();
  const open = async (name: string | undefined): Promise<ContextReader> => {
    if (name === undefined) return main.reader((await dockerfile()).ignore);
    const source = Object.hasOwn(named, name) ? named[name] : undefined;
    if (source === undefined) throw new RangeError(`there is no context ${name}`);
    const opened = await openSource(name, source, options);
    const ignore = opened.context.root === undefined ? undefined : await opened.context.readText(".dockerignore");
    return opened.reader(ignore === undefined ? undefined : { file: `.dockerignore of the context "${name}"`, text: ignore });
  };
  return {
    main: main.context,
    dockerfile,
    reader(name) {
      const known = readers.get(name);
      if (known !== undefined) return known;
      const reader = open(name);
      readers.set(name, reader);
      return reader;
    },
    async save() {
      for (const reader of readers.values()) await (await reader).save();
    },
  };
}

function whatOf(name: string | undefined): string {
  return name === undefined ? "the build context" : `the context "${name}"`;
}

async function openSource(name: string | undefined, source: ContextSource, options: ContextsOptions): Promise<OpenedSource> {
  const { store, remote, signal } = options;
  const what = whatOf(name);
  switch (source.kind) {
    case "directory":
      return openDirectory(source.path, { what, ...options });
    case "tar":
      return openStream(source.bytes, { describe: what, store, signal });
    case "empty":
      return openEmpty({ describe: what, store, signal });
    case "git": {
      const git = parseGitUrl(source.url);
      if (git === undefined) throw unsupported(what, source.url, "it is no URL of a git repository");
      const keepGitDir = git.keepGitDir || (name === undefined && keepsGitDir(options.buildArgs));
      return openGit({ ...git, keepGitDir }, { describe: `${what} ${publicUrl(source.url)}`, store, remote });
    }
    case "http": {
      const http = httpSource(what, source.url);
      const file = await (await remote()).http(http);
      const described = { describe: `${what} ${publicUrl(source.url)}`, store, signal };
      return name === undefined ? openFetched(file, described) : openFetchedFiles(file, described);
    }
    default:
      if (isNothing(source)) return openEmpty({ describe: what, store, signal });
      throw new TsbuildError("UNSUPPORTED_CONTEXT", `opening ${what}: it has no files of its own, being of the kind ${source.kind}`);
  }
}

function httpSource(what: string, url: string): HttpSource {
  const source = parseRemoteSource(url, { keepGitDir: false });
  if (source?.kind !== "http") throw unsupported(what, url, "it is no http URL of a file");
  return source;
}

function unsupported(what: string, url: string, problem: string): TsbuildError {
  return new TsbuildError("UNSUPPORTED_CONTEXT", `opening ${what} ${publicUrl(url)}: ${problem}`);
}

/** As BuildKit reads a switch. */
function keepsGitDir(buildArgs: Readonly<Record<string, string>>): boolean {
  return ["1", "t", "T", "true", "True", "TRUE"].includes(buildArgs.BUILDKIT_CONTEXT_KEEP_GIT_DIR ?? "");
}

/** A Dockerfile behind a URL is fetched, whatever the context is. */
async function fetchedDockerfile(given: BuildOptions["dockerfile"], remote: ContextsOptions["remote"]): Promise<GivenDockerfile> {
  if (given === undefined || "text" in given || !/^https?:\/\//i.test(given.path)) return given;
  const name = publicUrl(given.path);
  const source = httpSource("the Dockerfile", given.path);
  const { path } = await (await remote()).http(source);
  return { text: await collectText(fileBytes(path), name), file: name };
}
