import { existsSync } from "node:fs";
import { TsbuildError } from "../../runtime-addon/index.ts";
import { fullName, parseReference } from "../../store/reference.ts";
import { contextRoot } from "../context/context-root.ts";
import { nearest } from "../dockerfile/suggest.ts";
import type { ContextSource } from "../options.ts";
import { publicUrl } from "../plan/public-url.ts";
import { isHttpUrl, parseGitUrl } from "../plan/remote-source.ts";
import { UsageError } from "./usage-error.ts";

const flag = "--build-context";

/** The beginnings of values that are no directories. */
const schemes = ["docker-image://", "oci-layout://", "target:", "https://", "http://", "git://", "ssh://"] as const;

/** Names that mean something else in a Dockerfile. */
const reserved = ["scratch", "context"];

/**
 * "NAME=VALUE" of --build-context, by name. Throws UsageError: INVALID_VALUE, DUPLICATE_CONTEXT, INVALID_REFERENCE, INVALID_SOURCE, UNSUPPORTED_CONTEXT, and CONTEXT_NOT_FOUND,
 * CONTEXT_NOT_DIRECTORY and CONTEXT_UNREADABLE of a directory.
 */
export async function readBuildContexts(words: readonly string[]): Promise<Readonly<Record<string, ContextSource>>> {
  const found = new Map<string, readonly [name: string, source: ContextSource]>();
  for (const word of words) {
    const equals = word.indexOf("=");
    const name = word.slice(0, Math.max(equals, 0));
    const value = word.slice(equals + 1);
    if (name === "" || value === "")
      throw invalid(publicUrl(word), "is not NAME=VALUE", "write it as src=../src or debian=docker-image://debian:13");
    const key = nameKey(name);
    if (found.has(key)) throw new UsageError("DUPLICATE_CONTEXT", `reading ${flag}: there are two contexts "${name}"`);
    found.set(key, [name, await sourceOf(name, value)]);
  }
  return Object.fromEntries(found.values());
}

/** Names are compared as those of images are: "debian" is "debian:latest" too. */
function nameKey(name: string): string {
  if (reserved.includes(name)) throw invalid(name, "has another meaning in a Dockerfile, and cannot be the name of a context");
  return asUsage(
    () => fullName(parseReference(name)),
    (message) => `${flag}: ${message}`,
  );
}

async function sourceOf(name: string, value: string): Promise<ContextSource> {
  if (value.startsWith("docker-image://")) {
    const image = value.slice("docker-image://".length);
    asUsage(() => image === "scratch" || parseReference(image));
    return { kind: "image", image };
  }
  if (value.startsWith("oci-layout://")) return layoutOf(value.slice("oci-layout://".length));
  if (value.startsWith("target:")) {
    const stage = value.slice("target:".length);
    if (stage === "") throw invalid(`${name}=${value}`, "names no stage");
    return { kind: "stage", stage };
  }
  const bare = /^(docker-image|oci-layout):(?!\/\/)(.*)/s.exec(value);
  if (bare !== null) throw invalid(`${name}=${value}`, `lacks "//" behind ${bare[1]}:`, `write ${bare[1]}://${bare[2]}`);
  // "host:path" may be a directory too.
  const remote = existsSync(value) ? undefined : asUsage(() => remoteSource(value));
  if (remote !== undefined) return remote;
  const misspelt = /^([a-z][a-z0-9+.-]*):\/\//i.exec(value)?.[0];
  if (misspelt !== undefined) throw unknownKind(value, misspelt);
  return directoryOf(name, value);
}

/** What git or http serves; undefined for what is no URL. */
export function remoteSource(text: string): ContextSource | undefined {
  if (parseGitUrl(text) !== undefined) return { kind: "git", url: text };
  return isHttpUrl(text) ? { kind: "http", url: text } : undefined;
}

async function directoryOf(name: string, path: string): Promise<ContextSource> {
  try {
    await contextRoot(path, `the context "${name}" (${path})`);
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    throw new UsageError(error.code, error.message, { cause: error.cause });
  }
  return { kind: "directory", path };
}

/** "DIRECTORY[:TAG][@DIGEST]"; what is there as a whole is a directory, whatever its name has in it. */
function layoutOf(text: string): ContextSource {
  if (text === "") throw invalid("oci-layout://", "names no directory");
  if (existsSync(text)) return { kind: "oci-layout", path: text };
  const at = text.indexOf("@sha256:");
  const colon = text.slice(0, at < 0 ? text.length : at).indexOf(":");
  const end = colon >= 0 ? colon : at >= 0 ? at : text.length;
  const path = text.slice(0, end);
  const name = end === text.length ? undefined : colon >= 0 ? text.slice(end + 1) : text.slice(end);
  if (!existsSync(path)) throw new UsageError("CONTEXT_NOT_FOUND", `opening the image layout ${path}: there is no such directory`);
  return { kind: "oci-layout", path, ...(name === undefined ? {} : { name }) };
}

function unknownKind(value: string, written: string): UsageError {
  const near = nearest(written, schemes);
  return new UsageError("UNSUPPORTED_CONTEXT", `reading ${flag}: ${publicUrl(value)}: there are no contexts of the kind ${written}`, {
    hint: near === undefined ? `a directory, or one of ${schemes.join(", ")}` : `did you mean ${near}?`,
  });
}

function invalid(word: string, problem: string, hint?: string): UsageError {
  return new UsageError("INVALID_VALUE", `reading ${flag}: "${word}" ${problem}`, hint === undefined ? {} : { hint });
}

/** Runs a reader of names, so that its errors count as wrong usage. */
function asUsage<T>(read: () => T, message = (text: string): string => text): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    throw new UsageError(error.code, message(error.message), error.hint === undefined ? {} : { hint: error.hint });
  }
}
