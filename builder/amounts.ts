const sizeUnits: Readonly<Record<string, number>> = { "": 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** "512m", "1.5g", "64MiB" → bytes, in powers of 1024 as Docker's RAM sizes are. Undefined for what is none. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([bkmgt]?)(?:i?b)?$/i.exec(text);
  const unit = sizeUnits[match?.[2]?.toLowerCase() ?? ""];
  return match === null || unit === undefined ? undefined : Math.floor(Number(match[1]) * unit);
}

const durationUnits: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** "24h", "1h30m", "30d", "2w" → seconds. Undefined for what is none. */
export function parseDuration(text: string): number | undefined {
  if (!/^(?:\d{1,9}(?:\.\d{1,9})?[smhdw])+$/.test(text)) return undefined;
  return [...text.matchAll(/([\d.]+)([smhdw])/g)].reduce(
    (sum, [, value, unit]) => sum + Number(value) * (durationUnits[unit ?? ""] ?? 0),
    0,
  );
}
