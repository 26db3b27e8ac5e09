/** A time as configs and histories hold it: RFC 3339 in UTC, without trailing zeros of the fraction, as Go writes it. `ms` since the epoch. */
export function rfc3339(ms: number): string {
  return new Date(ms).toISOString().replace(/\.?0*Z$/, "Z");
}

/** 9999-12-31T23:59:59Z, in seconds: RFC 3339 has four digits for the year. */
export const lastSecond = 253_402_300_799;
