import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TsbuildError } from "../../runtime-addon/index.ts";
import { contextRoot } from "../context/context-root.ts";
import type { BuildOptions } from "../options.ts";
import type { CliIo } from "./cli-io.ts";
import { misplacedCommand } from "./misplaced-command.ts";
import { UsageError } from "./usage-error.ts";

/** What a build reads, and what has to be removed afterwards. */
export interface BuildInputs extends AsyncDisposable {
  /** A directory. */
  readonly context: string;
  readonly dockerfile?: BuildOptions["dockerfile"];
  /** What to say when a file of the context is missed; absent: what the library says. */
  readonly missedFileHint?: string;
}

/** A Dockerfile is text that people write; what is larger is something else. */
const largestDockerfile = 16 * 1024 * 1024;
const remoteContext = /^(https?:\/\/|git:\/\/|ssh:\/\/|git@|github\.com\/)/;

/** Finds the context and the Dockerfile that the command line names; `argv` is all of it, for hints. Throws UsageError where they cannot be used. */
export async function readInputs(context: string, file: string | undefined, argv: readonly string[], io: CliIo): Promise<BuildInputs> {
  if (context === "-") {
    if (file !== undefined)
      throw new UsageError(
        "WRONG_OPERANDS",
        "reading the command line: with the context - the Dockerfile is standard input, and --file has no meaning",
      );
    const text = await readDockerfile(io);
    const empty = await mkdtemp(join(tmpdir(), "tsbuild-context-"));
    const missedFileHint = "there are no files: the Dockerfile came from standard input; give a directory too: -f - DIR";
    return {
      context: empty,
      dockerfile: { text },
      missedFileHint,
      [Symbol.asyncDispose]: () => rm(empty, { recursive: true, force: true }),
    };
  }
  if (remoteContext.test(context)) {
    throw new UsageError("UNSUPPORTED_CONTEXT", `reading the context ${context}: contexts from git and http are not supported`, {
      hint: "fetch it first and give the directory",
    });
  }
  await checkDirectory(context, argv);
  const dockerfile = file === undefined ? undefined : file === "-" ? { text: await readDockerfile(io) } : { path: file };
  return { context, ...(dockerfile === undefined ? {} : { dockerfile }), async [Symbol.asyncDispose]() {} };
}

/** Before anything else is done: a word that is no context is mostly a misspelt command. */
async function checkDirectory(context: string, argv: readonly string[]): Promise<void> {
  try {
    await contextRoot(context);
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    const { code, message, cause } = error;
    const hint = code === "CONTEXT_NOT_FOUND" ? misplacedCommand(argv, context) : undefined;
    throw new UsageError(code, message, { cause, ...(hint === undefined ? {} : { hint }) });
  }
}

async function readDockerfile(io: CliIo): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of io.stdin) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > largestDockerfile)
      throw new UsageError(
        "DOCKERFILE_TOO_LARGE",
        `reading the Dockerfile from standard input: it is larger than ${largestDockerfile} bytes`,
      );
    io.signal.throwIfAborted();
  }
  const bytes = Buffer.concat(chunks);
  const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
  if (isGzip || bytes.toString("latin1", 257, 262) === "ustar") {
    throw new UsageError("UNSUPPORTED_CONTEXT", "reading standard input: it is an archive, and contexts from archives are not supported", {
      hint: "unpack it and give the directory",
    });
  }
  return bytes.toString("utf8");
}
