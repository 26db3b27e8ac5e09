import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { TsbuildError } from "../store/errors.ts";
import { openConfined } from "./context/confined-file.ts";

/** The Dockerfile's text, how errors call it, and the ignore files that go with it. */
export interface DockerfileText {
  readonly file: string;
  readonly text: string;
  /** Rules of `<Dockerfile>.dockerignore` if there is one, else of the context's `.dockerignore`; never both. */
  readonly ignore?: { readonly file: string; readonly text: string };
}

const defaultNames = ["Dockerfile", "dockerfile", "Containerfile"] as const;

/** Reads it from a path, from given text, or under one of the default names in the context. Throws DOCKERFILE_NOT_FOUND. */
export async function readDockerfile(
  context: string,
  given: { readonly path: string } | { readonly text: string } | undefined,
): Promise<DockerfileText> {
  if (given !== undefined && "text" in given) return { file: "Dockerfile", text: given.text, ...(await rootIgnore(context)) };
  const candidates = given === undefined ? defaultNames.map((name) => join(context, name)) : [given.path];
  for (const path of candidates) {
    const text = await readText(path, given === undefined ? context : undefined);
    if (text === undefined) continue;
    const own = await readText(`${path}.dockerignore`, given === undefined ? context : dirname(path));
    const ignore = own === undefined ? await rootIgnore(context) : { ignore: { file: `${basename(path)}.dockerignore`, text: own } };
    return { file: given === undefined ? basename(path) : path, text, ...ignore };
  }
  throw new TsbuildError("DOCKERFILE_NOT_FOUND", `looking for the Dockerfile: ${candidates.join(", ")} not found`, {
    hint:
      given === undefined
        ? "name it with -f, or give the directory that has it"
        : "-f is relative to the current directory, not to the context",
  });
}

async function rootIgnore(context: string): Promise<{ ignore?: { file: string; text: string } }> {
  const text = await readText(join(context, ".dockerignore"), context);
  return text === undefined ? {} : { ignore: { file: ".dockerignore", text } };
}

/** `within`: a context may hold a link to a file of the host, which an error's excerpt would show, or a FIFO. A path that the user names is theirs. */
async function readText(path: string, within: string | undefined): Promise<string | undefined> {
  try {
    if (within === undefined) return await readFile(path, "utf8");
    const handle = await openConfined(within, path);
    try {
      return await handle.readFile("utf8");
    } finally {
      await handle.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new TsbuildError(
      "DOCKERFILE_UNREADABLE",
      `reading ${path}: ${code === "EISDIR" ? "it is a directory" : (error as Error).message}`,
      { cause: error },
    );
  }
}
