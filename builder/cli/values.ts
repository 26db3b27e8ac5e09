import { resolve } from "node:path";
import { TsbuildError } from "../../runtime-addon/index.ts";
import { parseNewName } from "../../store/image-names.ts";
import { machinePlatform, platformText } from "../../store/platform.ts";
import { parseDuration, parseSize } from "../amounts.ts";
import { coveredBySandbox } from "../mount-target.ts";
import { parsePlatform } from "../plan/platform.ts";
import { lastSecond } from "../plan/rfc3339.ts";
import type { BindMount } from "../run-options.ts";
import { parseAddHost } from "../sandbox/network-files.ts";
import { isSignal } from "../sandbox/stop.ts";
import { UsageError } from "./usage-error.ts";

// Each reader throws UsageError INVALID_VALUE; `flag` is the name to print, e.g. "--memory".

/** "512m", "1.5g", "64MiB" → bytes, in powers of 1024 as Docker's RAM sizes are. */
export function readSize(flag: string, text: string): number {
  return parseSize(text) ?? fail(invalid(flag, text, "is not a size", "write 512m, 1.5g or a number of bytes"));
}

/** "24h", "30d" → seconds. */
export function readDuration(flag: string, text: string): number {
  return parseDuration(text) ?? fail(invalid(flag, text, "is not a duration", "write 90m, 24h, 30d or 2w"));
}

function fail(error: Error): never {
  throw error;
}

/** A whole number from `min` on. */
export function readInteger(flag: string, text: string, min: number): number {
  const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min)) throw invalid(flag, text, `is not a whole number from ${min} on`);
  return value;
}

/** A number above 0: "1.5". */
export function readPositive(flag: string, text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(value > 0)) throw invalid(flag, text, "is not a number above 0");
  return value;
}

/** A list of processors: "0-2,4". */
export function readCpuset(flag: string, text: string): string {
  if (!/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(text)) throw invalid(flag, text, "is not a list of processors", "write it as 0-2,4");
  return text;
}

/** "KEY=VALUE" pairs; `lookUp` answers for a KEY alone, and undefined leaves it out. Later ones win. */
export function readPairs(flag: string, words: readonly string[], lookUp: (key: string) => string | undefined): Record<string, string> {
  const pairs = new Map<string, string>();
  for (const word of words) {
    const at = word.indexOf("=");
    const key = at < 0 ? word : word.slice(0, at);
    if (key === "") throw invalid(flag, word, "has no name before =");
    const value = at < 0 ? lookUp(key) : word.slice(at + 1);
    if (value !== undefined) pairs.set(key, value);
  }
  // fromEntries defines own properties, also for "__proto__".
  return Object.fromEntries(pairs);
}

/** "KEY=VALUE" of --annotation. Later ones win. */
export function readAnnotations(words: readonly string[]): Record<string, string> {
  const bare = words.find((word) => !word.includes("="));
  if (bare !== undefined) throw invalid("--annotation", bare, "is not KEY=VALUE", "write it as org.opencontainers.image.title=app");
  return readPairs("--annotation", words, () => undefined);
}

/** "name:address", "name=address" or "name:host-gateway" → "name:address". */
export function readHost(flag: string, text: string): string {
  const { name, address } = usable(() => parseAddHost(text), flag, text, "is not NAME:ADDRESS", "write it as db:10.0.0.7");
  return `${name}:${address}`;
}

/** A name that uname(2) can hold, 64 bytes, and that is one word of /etc/hosts. */
export function readHostname(flag: string, text: string): string {
  if (/^[^\s\p{C}#]+$/u.test(text) && Buffer.byteLength(text) <= 64) return text;
  throw invalid(flag, text, "is no host name", "a name has no blanks and at most 64 bytes");
}

/** Modes of a volume that say what is so in any case, or what there is no need of: labels of SELinux, caches of Docker Desktop. */
const withoutEffect: ReadonlySet<string> = new Set(["z", "Z", "private", "rprivate", "cached", "delegated", "consistent"]);

/** "HOST:CONTAINER[:ro|:rw]"; a host path that begins with "/", "." or "~/" is meant, volumes with names do not exist here. */
export function readVolume(flag: string, text: string): BindMount {
  const [source, target, mode, ...rest] = text.split(":");
  if (target === undefined && text.startsWith("/")) {
    throw new UsageError("UNSUPPORTED_VALUE", `reading ${flag}: "${text}" asks for a volume, and there are none`, {
      hint: `--tmpfs ${text} makes an empty directory in memory, -v ./DIR:${text} shows one of the host`,
    });
  }
  if (source === undefined || target === undefined || rest.length > 0) {
    throw invalid(flag, text, "is not HOST:CONTAINER[:ro]", "write it as ./data:/data:ro");
  }
  if (!/^[./]/.test(source)) {
    throw new UsageError("UNSUPPORTED_VALUE", `reading ${flag}: "${source}" is a volume's name, and there are no named volumes`, {
      hint: `for the directory of that name write ./${source}:${target}`,
    });
  }
  if (!target.startsWith("/")) throw invalid(flag, text, "has no absolute path in the container");
  const covered = coveredBySandbox(target);
  if (covered !== undefined) throw invalid(flag, text, `would cover ${covered}, which is the sandbox's own`, "mount it on another path");
  const modes = mode === undefined ? [] : mode.split(",");
  const wrong = modes.find((one) => one !== "ro" && one !== "rw" && !withoutEffect.has(one));
  if (wrong !== undefined) throw invalid(flag, text, `has the mode "${wrong}", which is neither ro nor rw`);
  return { source: resolve(source), target, readOnly: modes.includes("ro") };
}

/** A signal's name, with or without SIG, or its number. */
export function readSignal(flag: string, text: string): string {
  return isSignal(text) ? text : fail(invalid(flag, text, "is no signal", "write a name such as SIGTERM, or a number"));
}

/** Seconds since the epoch (https://reproducible-builds.org/specs/source-date-epoch/). */
export function readEpoch(flag: string, text: string): number {
  const seconds = readInteger(flag, text, 0);
  if (seconds > lastSecond) throw invalid(flag, text, "is later than the year 9999");
  return seconds;
}

/** The same for a build, which takes its time from what a word names, too: what looks like a number must be one. */
export function readEpochOrWord(flag: string, text: string): number | string {
  return /^(?:[-+.\d]+)?$/.test(text) ? readEpoch(flag, text) : text;
}

/** "linux/amd64,linux/arm64", given once or more than once: each platform once, under the names that images use. */
export function readPlatforms(flag: string, texts: readonly string[]): readonly string[] {
  const words = texts.flatMap((text) => {
    if (text === "") return [];
    const parts = text.split(",").map((word) => word.trim());
    if (parts.includes("")) throw invalid(flag, text, "has an empty part");
    return parts;
  });
  return [...new Set(words.map((word) => readPlatform(flag, word)))];
}

/** "linux/amd64": one platform, under the names that images use; "local" is this machine's, as for buildx. */
export function readPlatform(flag: string, text: string): string {
  if (text.includes(","))
    throw new UsageError("UNSUPPORTED_VALUE", `reading ${flag}: "${text}" names several platforms, and one is needed`);
  if (text === "local") return platformText(machinePlatform());
  return platformText(usable(() => parsePlatform(text), flag, text, "is not OS/ARCHITECTURE", "write it as linux/amd64"));
}

/** A name for an image. */
export function readTag(text: string): void {
  try {
    parseNewName(text);
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    throw new UsageError(error.code, error.message, error.hint === undefined ? {} : { hint: error.hint });
  }
}

/** What the library reads, with the flag in its error. */
function usable<T>(read: () => T, flag: string, text: string, problem: string, hint: string): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof TsbuildError) throw invalid(flag, text, problem, hint);
    throw error;
  }
}

/** Throws INVALID_VALUE: `reading FLAG: "TEXT" PROBLEM`. */
export function invalid(flag: string, text: string, problem: string, hint?: string): UsageError {
  return new UsageError("INVALID_VALUE", `reading ${flag}: "${text}" ${problem}`, hint === undefined ? {} : { hint });
}
