import { TsbuildError } from "../../store/errors.ts";
import { fileBytes } from "../../store/file-bytes.ts";
import type { Store } from "../../store/store.ts";
import type { RemoteSources } from "../fetch/remote-sources.ts";
import type { BuildOptions, ContextSource } from "../options.ts";
import type { HttpSource } from "../plan/operation.ts";
import { publicUrl } from "../plan/public-url.ts";
import { isHttpUrl, parseGitUrl, parseRemoteSource } from "../plan/remote-source.ts";
import { type DockerfileText, type GivenDockerfile, readDockerfile } from "../read-dockerfile.ts";
import type { ContextReader } from "../steps/context-inputs.ts";
import { openDirectory } from "./directory-source.ts";
import { openGit } from "./git-source.ts";
import { type IgnoreRules, parseIgnoreFile } from "./ignore.ts";
import { isNothing } from "./named-context.ts";
import type { OpenContext, OpenedSource } from "./open-context.ts";
import { collectText, readIgnore } from "./small-text.ts";
import { openEmpty, openFetched, openFetchedFiles, openStream } from "./tar-source.ts";

/** Contexts by name, each opened when something first reads from it, but for directories; no name is the build context. */
export interface Contexts {
  readonly main: OpenContext;
  /** The Dockerfile and its ignore file, read once. Throws as readDockerfile, INVALID_IGNORE_FILE, and as RemoteSources.http where it is behind a URL. */
  dockerfile(): Promise<DockerfileText>;
  reader(name?: string): Promise<ContextReader>;
  /**
   * Seconds, when what it holds was made: of a commit, as its committer says; of a file of the web, as the server says; else of a tar's newest regular file. Undefined for
   * what has no such time: directories, images, stages.
   */
  time(name?: string): Promise<number | undefined>;
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
 * Opens the build context as far as its Dockerfile needs it, and the named ones that are directories, with their ignore files. Throws CONTEXT_NOT_FOUND, CONTEXT_NOT_DIRECTORY,
 * CONTEXT_UNREADABLE, UNSUPPORTED_CONTEXT, INVALID_IGNORE_FILE, what a broken archive throws, and as RemoteSources.
 */
export async function openContexts(options: ContextsOptions): Promise<Contexts> {
  const { named, remote } = options;
  const readers = new Map<string | undefined, Promise<ContextReader>>();
  // A stream can be read once.
  const sources = new Map<string, Promise<OpenedSource>>();
  const opening = async (name: string): Promise<OpenedSource> => {
    const source = Object.hasOwn(named, name) ? named[name] : undefined;
    if (source === undefined) throw new RangeError(`there is no context ${name}`);
    const opened = sources.get(name) ?? openSource(name, source, options);
    sources.set(name, opened);
    return opened;
  };
  const ignoring = new Map<string, IgnoreRules>();
  for (const [name, source] of Object.entries(named)) {
    if (source.kind !== "directory") continue;
    const { context } = await opening(name);
    const ignore = await readIgnore((path) => context.readText(path));
    if (ignore !== undefined) ignoring.set(name, parseIgnoreFile(ignore.text, `${ignore.file} of the context "${name}"`));
  }
  const main = await openSource(undefined, options.main, options);
  let text: Promise<{ readonly dockerfile: DockerfileText; readonly rules: IgnoreRules | undefined }> | undefined;
  const readText = () => {
    text ??= fetchedDockerfile(options.dockerfile, remote).then(async (given) => {
      const dockerfile = await readDockerfile(main.context, given);
      const { ignore } = dockerfile;
      return { dockerfile, rules: ignore === undefined ? undefined : parseIgnoreFile(ignore.text, ignore.file) };
    });
    return text;
  };
  const open = async (name: string | undefined): Promise<ContextReader> =>
    name === undefined ? main.reader((await readText()).rules) : (await opening(name)).reader(ignoring.get(name));
  return {
    main: main.context,
    dockerfile: async () => (await readText()).dockerfile,
    reader(name) {
      const known = readers.get(name);
      if (known !== undefined) return known;
      const reader = open(name);
      readers.set(name, reader);
      return reader;
    },
    async time(name) {
      if (name === undefined) return main.time();
      const kind = named[name]?.kind;
      return kind === "image" || kind === "oci-layout" || kind === "stage" ? undefined : (await opening(name)).time();
    },
    async save() {
      for (const reader of readers.values()) await (await reader).save();
    },
  };
}

/** As errors call it; `place` is where it is, where that can be said. */
function described(name: string | undefined, place?: string): string {
  if (name === undefined) return place === undefined ? "the build context" : `the build context ${place}`;
  return place === undefined ? `the context "${name}"` : `the context "${name}" (${place})`;
}

/** What comes as a stream has no name. */
const unnamedPlace = "<input>";

async function openSource(name: string | undefined, source: ContextSource, options: ContextsOptions): Promise<OpenedSource> {
  const { store, remote, signal } = options;
  const what = described(name);
  switch (source.kind) {
    case "directory":
      return openDirectory(source.path, { describe: described(name, source.path), ...options });
    case "tar":
      return openStream(source.bytes, { describe: what, place: unnamedPlace, store, signal });
    case "empty":
      return openEmpty({ describe: what, place: unnamedPlace, store, signal });
    case "git": {
      const git = parseGitUrl(source.url);
      if (git === undefined) throw unsupported(described(name, publicUrl(source.url)), "it is no URL of a git repository");
      const keepGitDir = git.keepGitDir || (name === undefined && keepsGitDir(options.buildArgs));
      return openGit({ ...git, keepGitDir }, { describe: described(name, publicUrl(source.url)), store, remote });
    }
    case "http": {
      const describe = described(name, publicUrl(source.url));
      const http = httpSource(describe, source.url);
      const file = await (await remote()).http(http);
      return (name === undefined ? openFetched : openFetchedFiles)(file, { describe, place: publicUrl(source.url), store, signal });
    }
    default:
      if (isNothing(source)) return openEmpty({ describe: what, place: unnamedPlace, store, signal });
      throw new TsbuildError("UNSUPPORTED_CONTEXT", `opening ${what}: it has no files of its own, being of the kind ${source.kind}`);
  }
}

function httpSource(describe: string, url: string): HttpSource {
  const source = parseRemoteSource(url, { keepGitDir: false });
  if (source?.kind !== "http") throw unsupported(describe, "it is no http URL of a file");
  return source;
}

function unsupported(describe: string, problem: string): TsbuildError {
  return new TsbuildError("UNSUPPORTED_CONTEXT", `opening ${describe}: ${problem}`);
}

/** As BuildKit reads a switch. */
function keepsGitDir(buildArgs: Readonly<Record<string, string>>): boolean {
  return ["1", "t", "T", "true", "True", "TRUE"].includes(buildArgs.BUILDKIT_CONTEXT_KEEP_GIT_DIR ?? "");
}

/** A Dockerfile behind a URL is fetched, whatever the context is. */
async function fetchedDockerfile(given: BuildOptions["dockerfile"], remote: ContextsOptions["remote"]): Promise<GivenDockerfile> {
  if (given === undefined || "text" in given || !isHttpUrl(given.path)) return given;
  const name = publicUrl(given.path);
  const source = httpSource(`the Dockerfile ${name}`, given.path);
  const { path } = await (await remote()).http(source);
  return { text: await collectText(fileBytes(path), name), file: name };
}
