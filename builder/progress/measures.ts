/** "0.3 s", "12.0 s", "2 min 5 s" */
export function formatDuration(ms: number): string {
  return ms < 59_950 ? `${(Math.max(ms, 0) / 1000).toFixed(1)} s` : formatSeconds(ms);
}

/** Whole seconds: "45 s", "2 min 5 s" */
export function formatSeconds(ms: number): string {
  const seconds = Math.round(Math.max(ms, 0) / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Of files, images and what is read and written: decimal units and three digits, as Docker prints sizes: "7.75 MB", "512 B". */
export function formatBytes(bytes: number): string {
  return formatSize(bytes, 1000, ["B", "kB", "MB", "GB", "TB", "PB"]);
}

/** Of memory: the units in which limits of it are given, `--memory 512m` being "512 MiB". */
export function formatMemory(bytes: number): string {
  return formatSize(bytes, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]);
}

function formatSize(bytes: number, base: number, units: readonly string[]): string {
  let value = bytes;
  let unit = 0;
  while (value >= base - 0.5 && unit < units.length - 1) {
    value /= base;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${units[unit]}`;
}
