/** A table for people: columns as wide as they must be, two spaces apart, no blanks at line ends. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title) => title.length);
  for (const row of rows) for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  return `${[header, ...rows].map(line).join("\n")}\n`;
}

/** "3 days ago"; the empty string where there is no time. `created` is RFC 3339. */
export function formatAge(created: string | undefined, nowMs: number): string {
  const thenMs = created === undefined ? Number.NaN : Date.parse(created);
  if (Number.isNaN(thenMs)) return "";
  const seconds = Math.floor((nowMs - thenMs) / 1000);
  if (seconds < 0) return "in the future";
  const steps: [number, string][] = [
    [60, "second"],
    [60, "minute"],
    [24, "hour"],
    [7, "day"],
    [4.35, "week"],
    [12, "month"],
    [Number.POSITIVE_INFINITY, "year"],
  ];
  let value = seconds;
  for (const [size, unit] of steps) {
    if (value < size) {
      const whole = Math.floor(value);
      return `${whole} ${unit}${whole === 1 ? "" : "s"} ago`;
    }
    value /= size;
  }
  return "";
}

/** The first twelve hex digits of a digest, as Docker prints ids. */
export function shortId(digest: string): string {
  return digest.replace(/^sha256:/, "").slice(0, 12);
}
