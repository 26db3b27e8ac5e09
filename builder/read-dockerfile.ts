import { isAbsolute, posix } from "node:path";
import { TsbuildError } from "../store/errors.ts";
import type { IgnoreFile, OpenContext } from "./context/open-context.ts";
import { readHostText, readIgnore, readOwnIgnore } from "./context/small-text.ts";

/** The Dockerfile's text, where errors say it is, and the ignore file that goes with it. */
export interface DockerfileText {
  readonly file: string;
  readonly text: string;
  /**
   * `<Dockerfile>.dockerignore` if there is one, else the context's `.dockerignore`; never both. Of each .containerignore is taken where it is missing. Only of a directory
   * of the host.
   */
  readonly ignore?: IgnoreFile;
}

/** What the caller says of the Dockerfile: its text, or a path, relative to the current directory; for a context that is no local directory, relative to the context. */
export type GivenDockerfile = { readonly path: string } | { readonly text: string; readonly file?: string } | undefined;

const defaultName = "Dockerfile";
/** In this order. */
export const defaultNames = [defaultName, "dockerfile", "Containerfile"] as const;

/**
 * Reads the Dockerfile that is given, that the context is, or that the context has under one of the default names. Throws DOCKERFILE_NOT_FOUND,
 * DOCKERFILE_UNREADABLE, DOCKERFILE_TOO_LARGE, IGNORE_FILE_UNREADABLE, AMBIGUOUS_DOCKERFILE where there are two.
 */
export async function readDockerfile(context: OpenContext, given: GivenDockerfile): Promise<DockerfileText> {
  if (context.dockerfile !== undefined) {
    if (given !== undefined) throw twoDockerfiles(context);
    return { file: context.place(defaultName), text: context.dockerfile };
  }
  if (given === undefined) return readDefault(context);
  if ("text" in given) return { file: given.file ?? defaultName, text: given.text, ...(await rootIgnore(context)) };
  return context.root === undefined && !isAbsolute(given.path) ? readInside(context, given.path) : readFromHost(context, given.path);
}

async function readDefault(context: OpenContext): Promise<DockerfileText> {
  for (const name of defaultNames) {
    const text = await context.readText(name);
    if (text === undefined) continue;
    const own = context.root === undefined ? undefined : await readIgnore((path) => context.readText(path), name);
    const file = context.place(name);
    return { file, text, ...(own === undefined ? await rootIgnore(context) : { ignore: placed(own, context) }) };
  }
  throw new TsbuildError("DOCKERFILE_NOT_FOUND", `looking for the Dockerfile: no ${defaultNames.join(", ")} in ${context.describe}`, {
    hint: "name it with -f, or give the directory that has it",
  });
}

async function readFromHost(context: OpenContext, given: string): Promise<DockerfileText> {
  for (const path of spellingsOf(given)) {
    const text = await readHostText(path);
    if (text === undefined) continue;
    const own = context.root === undefined ? undefined : await readOwnIgnore(path);
    return { file: path, text, ...(own === undefined ? await rootIgnore(context) : { ignore: own }) };
  }
  const inContext = await foundInContext(context, given);
  throw new TsbuildError("DOCKERFILE_NOT_FOUND", `looking for the Dockerfile: there is no ${given}`, {
    hint: `-f is relative to the current directory, not to the context${inContext === undefined ? "" : `: write -f ${inContext}`}`,
  });
}

/** The path with which it would have been found, where the context is a directory that has it. */
async function foundInContext({ root }: OpenContext, given: string): Promise<string | undefined> {
  if (root === undefined || isAbsolute(given)) return undefined;
  const path = posix.join(root, given);
  if (!path.startsWith(`${root}/`)) return undefined;
  const found = await readHostText(path).catch(() => undefined);
  return found === undefined ? undefined : path;
}

async function readInside(context: OpenContext, given: string): Promise<DockerfileText> {
  const path = posix.normalize(`/${given}`).slice(1);
  for (const file of spellingsOf(path)) {
    const text = await context.readText(file);
    if (text !== undefined) return { file: context.place(file), text };
  }
  throw new TsbuildError("DOCKERFILE_NOT_FOUND", `looking for the Dockerfile: there is no ${path} in ${context.describe}`, {
    hint: "-f is relative to the context where that is no local directory",
  });
}

/** "Dockerfile" stands for "dockerfile" too, wherever it is. */
function spellingsOf(path: string): readonly string[] {
  return posix.basename(path) === defaultName ? [path, path.replace(/Dockerfile\/*$/, "dockerfile")] : [path];
}

async function rootIgnore(context: OpenContext): Promise<{ ignore?: IgnoreFile }> {
  const ignore = context.root === undefined ? undefined : await readIgnore((path) => context.readText(path));
  return ignore === undefined ? {} : { ignore: placed(ignore, context) };
}

function placed({ file, text }: IgnoreFile, context: OpenContext): IgnoreFile {
  return { file: context.place(file), text };
}

function twoDockerfiles({ describe }: OpenContext): TsbuildError {
  return new TsbuildError("AMBIGUOUS_DOCKERFILE", `looking for the Dockerfile: ${describe} is one, and another is named`, {
    hint: "leave -f out, or give a context that has files",
  });
}
