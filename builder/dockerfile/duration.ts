const unitsNs: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  "\u00b5s": 1e3, // micro sign
  "\u03bcs": 1e3, // Greek mu
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Go's durations are 64-bit. */
const maxNs = 2 ** 63;

/**
 * Reads a duration as Go's time.ParseDuration does ("1h30m", "1.5s", "-2ms", "0"): nanoseconds, whole. Undefined when it is
 * none, or beyond 64 bits.
 */
export function parseDuration(text: string): number | undefined {
  const [, sign, rest = ""] = /^([-+]?)(.*)$/s.exec(text) ?? [];
  if (rest === "0") return 0;
  let totalNs = 0;
  let at = 0;
  const part = /(?:(\d+)(?:\.(\d*))?|\.(\d+))(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/y;
  while (at < rest.length) {
    part.lastIndex = at;
    const match = part.exec(rest);
    if (match === null) return undefined;
    const [, whole = "0", fraction, bareFraction, unit = ""] = match;
    const unitNs = unitsNs[unit] ?? 0;
    totalNs += Number(whole) * unitNs + Math.trunc(Number(`0.${fraction ?? bareFraction ?? ""}0`) * unitNs);
    at = part.lastIndex;
  }
  if (rest === "" || totalNs >= maxNs) return undefined;
  return sign === "-" ? 0 - totalNs : totalNs;
}
