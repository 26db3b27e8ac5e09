import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TsbuildError } from "../../runtime-addon/index.ts";
import { contextRoot } from "../context/context-root.ts";
import { nearest } from "../dockerfile/suggest.ts";
import type { BuildOptions } from "../options.ts";
import type { CliIo } from "./cli-io.ts";
import { summaries } from "./command-names.ts";
import { UsageError } from "./usage-error.ts";

/** What a build reads, and what has to be removed afterwards. */
export interface BuildInputs extends AsyncDisposable {
  /** A directory. */
  readonly context: string;
  readonly dockerfile?: BuildOptions["dockerfile"];
}

/** A Dockerfile is text that people write; what is larger is something else. */
const largestDockerfile = 16 * 1024 * 1024;
const remoteContext = /^(https?:\/\/|git:\/\/|ssh:\/\/|git@|github\.com\/)/;

/** Finds the context and the Dockerfile that the command line names. Throws UsageError where they cannot be used. */
export async function readInputs(context: string, file: string | undefined, io: CliIo): Promise<BuildInputs> {
  if (context === "-") {
    if (file !== undefined)
      throw new UsageError(
        "WRONG_OPERANDS",
        "reading the command line: with the context - the Dockerfile is standard input, and --file has no meaning",
      );
    const text = await readDockerfile(io);
    const empty = await mkdtemp(join(tmpdir(), "tsbuild-context-"));
    return { context: empty, dockerfile: { text }, [Symbol.asyncDispose]: () => rm(empty, { recursive: true, force: true }) };
  }
  if (remoteContext.test(context)) {
    throw new UsageError("UNSUPPORTED_CONTEXT", `reading the context ${context}: contexts from git and http are not supported`, {
      hint: "fetch it first and give the directory",
    });
  }
  await checkDirectory(context);
  const dockerfile = file === undefined ? undefined : file === "-" ? { text: await readDockerfile(io) } : { path: file };
  return { context, ...(dockerfile === undefined ? {} : { dockerfile }), async [Symbol.asyncDispose]() {} };
}

/** Before anything else is done: a word that is no context is mostly a misspelt command. */
async function checkDirectory(context: string): Promise<void> {
  try {
    await contextRoot(context);
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    const { code, message, cause } = error;
    const command = code === "CONTEXT_NOT_FOUND" ? nearest(context, [...Object.keys(summaries), "help"]) : undefined;
    throw new UsageError(code, message, { cause, ...(command === undefined ? {} : { hint: `did you mean the command ${command}?` }) });
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
