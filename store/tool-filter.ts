import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { isSystemError } from "../runtime-addon/index.ts";
import { brokenCompression } from "./stream-filter.ts";

export type Tool = ChildProcessByStdio<Writable, Readable, Readable>;

const shownErrorBytes = 1000;

/** Starts a filter program of the system; undefined when it is not installed. The caller hands it to throughTool. */
export async function startTool(name: string, args: readonly string[]): Promise<Tool | undefined> {
  const tool = spawn(name, args, { stdio: ["pipe", "pipe", "pipe"] });
  try {
    await once(tool, "spawn");
    return tool;
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return undefined;
    throw error;
  }
}

/**
 * Chunks sent through a started program. A failing one throws INVALID_COMPRESSION with what it said, or what `failed` makes of that; leaving early
 * kills it.
 */
export async function* throughTool(
  chunks: AsyncIterable<Uint8Array>,
  tool: Tool,
  kind: string,
  failed: (cause: Error) => Error = (cause) => brokenCompression(kind, cause),
): AsyncGenerator<Uint8Array, void, undefined> {
  const ended = once(tool, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  let said = "";
  tool.stderr.setEncoding("utf8").on("data", (text: string) => {
    if (said.length < shownErrorBytes) said += text;
  });
  let sourceError: unknown;
  const feeding = pipeline(
    watched(chunks, (error) => (sourceError = error)),
    tool.stdin,
  ).catch(() => undefined);
  let left = true;
  try {
    for await (const chunk of tool.stdout) yield chunk as Buffer;
    left = false;
  } finally {
    if (left || sourceError !== undefined) tool.kill("SIGKILL");
    tool.stdin.destroy();
    await feeding;
    await ended;
  }
  if (sourceError !== undefined) throw sourceError;
  // A program that stops reading breaks the pipe to it; its own words say why.
  const [code, signal] = await ended;
  if (code !== 0) throw failed(new Error(said.trim() || (signal ?? `exit code ${code}`)));
}

async function* watched(chunks: AsyncIterable<Uint8Array>, failed: (error: unknown) => void): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* chunks;
  } catch (error) {
    failed(error);
    throw error;
  }
}
