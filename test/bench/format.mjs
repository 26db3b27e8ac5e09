/** One row of the benchmark as text: every contender with its median, spread, and ratio to ours. */
export function formatTable({ name, note, unit, contenders }) {
  const format = unit === "bytes" ? formatBytes : formatMs;
  const ours = contenders.find((contender) => contender.kind === "ours" && contender.error === undefined);
  const lines = contenders.map((contender) => {
    if (contender.error !== undefined) return `  ${contender.name.padEnd(34)} failed: ${contender.error}`;
    const { median, min, max, peakBytes, cpuMs } = contender;
    const said = [
      ours === undefined || contender === ours ? [] : `ours is ${(ours.median / median).toFixed(2)} ×`,
      peakBytes === undefined ? [] : `peak ${(peakBytes / 1e6).toFixed(0)} MB`,
      cpuMs === undefined ? [] : `processor ${formatMs(cpuMs)}`,
    ].flat();
    const spread = `${format(median).padStart(9)}  (${format(min)} – ${format(max)})`;
    return `  ${contender.name.padEnd(34)} ${spread}  ${contender.kind.padEnd(5)} ${said.join(", ")}`.trimEnd();
  });
  return `${name}: ${note}\n${lines.join("\n")}\n`;
}

function formatMs(ms) {
  return ms >= 1_000 ? `${(ms / 1_000).toFixed(2)} s` : `${ms.toFixed(ms < 10 ? 2 : 1)} ms`;
}

function formatBytes(bytes) {
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(2)} MB` : `${(bytes / 1e3).toFixed(1)} kB`;
}
