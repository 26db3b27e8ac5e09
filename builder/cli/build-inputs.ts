import { existsSync } from "node:fs";
import { TsbuildError } from "../../runtime-addon/index.ts";
import { contextRoot } from "../context/context-root.ts";
import { collectText } from "../context/small-text.ts";
import type { BuildOptions, ContextSource } from "../options.ts";
import { publicUrl } from "../plan/public-url.ts";
import type { CliIo } from "./cli-io.ts";
import { readBuildContexts, remoteSource } from "./context-flag.ts";
import { misplacedCommand } from "./misplaced-command.ts";
import { UsageError } from "./usage-error.ts";

/** What a build reads. */
export interface BuildInputs {
  readonly context: ContextSource;
  /** By the names of --build-context. */
  readonly contexts: Readonly<Record<string, ContextSource>>;
  readonly dockerfile?: NonNullable<BuildOptions["dockerfile"]>;
}

/** What of the command line says what a build reads. */
export interface InputWords {
  /** PATH, URL or "-". */
  readonly context: string;
  /** Of --file. */
  readonly file: string | undefined;
  /** Of --build-context. */
  readonly contexts: readonly string[];
  /** All of the command line, for hints. */
  readonly argv: readonly string[];
}

/** Finds the contexts and the Dockerfile that the command line names. Throws UsageError where they cannot be used. */
export async function readInputs({ context, file, contexts, argv }: InputWords, io: Pick<CliIo, "stdin" | "signal">): Promise<BuildInputs> {
  if (context === "-" && file === "-") {
    throw new UsageError("WRONG_OPERANDS", "reading the command line: the context and the Dockerfile cannot both be standard input", {
      hint: "with the context - alone, standard input may be either",
    });
  }
  const source = await contextOf(context, argv, io);
  const named = await readBuildContexts(contexts);
  const dockerfile = file === "-" ? { text: await dockerfileOf(io), file: "<stdin>" } : file === undefined ? undefined : { path: file };
  return { context: source, contexts: named, ...(dockerfile === undefined ? {} : { dockerfile }) };
}

async function contextOf(context: string, argv: readonly string[], io: Pick<CliIo, "stdin">): Promise<ContextSource> {
  if (context === "-") return { kind: "tar", bytes: io.stdin };
  // "github.com/owner/name" may be a directory too.
  const remote = existsSync(context) ? undefined : remoteOf(context);
  if (remote !== undefined) return remote;
  await checkDirectory(context, argv);
  return { kind: "directory", path: context };
}

function remoteOf(context: string): ContextSource | undefined {
  try {
    const remote = remoteSource(context);
    if (remote !== undefined || !context.includes("://")) return remote;
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    throw new UsageError(error.code, error.message, error.hint === undefined ? {} : { hint: error.hint });
  }
  throw new UsageError("UNSUPPORTED_CONTEXT", `reading the context ${publicUrl(context)}: nothing is known that such a URL could mean`, {
    hint: "a context is a directory, -, https://HOST/FILE.tar, https://HOST/REPOSITORY.git, git://… or ssh://…",
  });
}

/** Before anything else is done: a word that is no context is mostly a misspelt command. */
async function checkDirectory(context: string, argv: readonly string[]): Promise<void> {
  try {
    await contextRoot(context);
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    const { code, message, cause } = error;
    const hint = hintFor(code, context, argv);
    throw new UsageError(code, message, { cause, ...(hint === undefined ? {} : { hint }) });
  }
}

function hintFor(code: string, context: string, argv: readonly string[]): string | undefined {
  if (code === "CONTEXT_NOT_FOUND") return misplacedCommand(argv, context);
  return code === "CONTEXT_NOT_DIRECTORY" ? "a tar or a Dockerfile alone is read from standard input: write - < FILE" : undefined;
}

async function dockerfileOf({ stdin, signal }: Pick<CliIo, "stdin" | "signal">): Promise<string> {
  try {
    const text = await collectText(stdin, "the Dockerfile from standard input");
    signal.throwIfAborted();
    return text;
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    throw new UsageError(error.code, error.message, error.hint === undefined ? {} : { hint: error.hint });
  }
}
