import type { Healthcheck } from "../../store/oci.ts";

/** BuildKit's mark on history entries; tools that read histories look for it. */
export const historyComment = "buildkit.dockerfile.v0";

/** Go's %q of a string, as BuildKit's histories have it. */
export function quote(text: string): string {
  return quotedWith('"', text);
}

function quotedWith(mark: string, text: string): string {
  let out = mark;
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    const short = char === mark ? `\\${mark}` : shortEscapes[char];
    if (short !== undefined) out += short;
    else if (code < 0x20 || code === 0x7f) out += `\\x${code.toString(16).padStart(2, "0")}`;
    else out += char;
  }
  return out + mark;
}

const shortEscapes: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\u0007": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\v": "\\v",
};

export function quoteList(words: readonly string[]): string {
  return `[${words.map(quote).join(" ")}]`;
}

/** `RUN |2 A=1 B=2 /bin/sh -c …`: declared ARGs with the values in force come first. */
export function runHistory(args: readonly string[], buildArgs: readonly (readonly [string, string])[]): string {
  const prefix = buildArgs.length === 0 ? [] : [`|${buildArgs.length}`, ...buildArgs.map(([name, value]) => `${name}=${value}`)];
  return `RUN ${[...prefix, ...args].join(" ")} # buildkit`;
}

/** Go's %q of a *HealthConfig: a number, as the retries, is the character of that code there. */
export function healthcheckHistory(check: Healthcheck): string {
  const durations = [check.Interval, check.Timeout, check.StartPeriod, check.StartInterval].map((ns) => quote(formatDuration(ns ?? 0)));
  const retries = check.Retries ?? 0;
  const char = retries <= 0x10ffff ? String.fromCodePoint(retries) : "\ufffd";
  return `HEALTHCHECK &{${quoteList(check.Test ?? [])} ${durations.join(" ")} ${quotedWith("'", char)}}`;
}

/** Go's time.Duration.String. `ns` in nanoseconds. */
export function formatDuration(ns: number): string {
  if (ns === 0) return "0s";
  if (ns < 1e3) return `${ns}ns`;
  if (ns < 1e6) return `${ns / 1e3}µs`;
  if (ns < 1e9) return `${ns / 1e6}ms`;
  const hours = Math.floor(ns / 3600e9);
  const minutes = Math.floor((ns % 3600e9) / 60e9);
  const seconds = (ns % 60e9) / 1e9;
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}
