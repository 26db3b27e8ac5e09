/** One row of the benchmark as text: every contender with its median, spread, and ratio to ours. */
export function formatTable({ name, note, contenders }) {
  const ours = contenders.find((contender) => contender.kind === "ours" && contender.error === undefined);
  const lines = contenders.map((contender) => {
    if (contender.error !== undefined) return `  ${contender.name.padEnd(34)} failed: ${contender.error}`;
    const { medianMs, minMs, maxMs, peakBytes } = contender;
    const ratio = ours === undefined || contender === ours ? "" : `ours is ${(ours.medianMs / medianMs).toFixed(2)} ×`;
    const memory = peakBytes === undefined ? "" : `peak ${(peakBytes / 1e6).toFixed(0)} MB`;
    return `  ${contender.name.padEnd(34)} ${formatMs(medianMs).padStart(9)}  (${formatMs(minMs)} – ${formatMs(maxMs)})  ${contender.kind.padEnd(5)} ${ratio}${memory}`.trimEnd();
  });
  return `${name}: ${note}\n${lines.join("\n")}\n`;
}

function formatMs(ms) {
  return ms >= 1_000 ? `${(ms / 1_000).toFixed(2)} s` : `${ms.toFixed(ms < 10 ? 2 : 1)} ms`;
}
