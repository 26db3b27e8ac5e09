import type { Healthcheck } from "../../store/oci.ts";

/** BuildKit's mark on history entries; tools that read histories look for it. */
export const historyComment = "buildkit.dockerfile.v0";

/** Go's %q of a string, as BuildKit's histories have it. */
export function quote(text: string): string {
  let out = '"';
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    const short = shortEscapes[char];
    if (short !== undefined) out += short;
    else if (code < 0x20 || code === 0x7f) out += `\\x${code.toString(16).padStart(2, "0")}`;
    else if (printable.test(char)) out += char;
    else if (code < 0x10000) out += `\\u${code.toString(16).padStart(4, "0")}`;
    else out += `\\U${code.toString(16).padStart(8, "0")}`;
  }
  return `${out}"`;
}

/** Go's unicode.IsPrint. */
const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

const shortEscapes: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  '"': '\\"',
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

/** Go's %+v of a HealthcheckConfig, which BuildKit writes since it no longer writes %q of a pointer to it. */
export function healthcheckHistory(check: Healthcheck): string {
  const duration = (ns = 0) => formatDuration(ns);
  const { Test = [], Interval, Timeout, StartPeriod, StartInterval, Retries = 0 } = check;
  const times = `Interval:${duration(Interval)} Timeout:${duration(Timeout)} StartPeriod:${duration(StartPeriod)}`;
  return `HEALTHCHECK {Test:[${Test.join(" ")}] ${times} StartInterval:${duration(StartInterval)} Retries:${Retries}}`;
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
