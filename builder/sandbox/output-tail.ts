/** Keeps the last lines that a command printed. */
export interface OutputTail {
  add(chunk: Uint8Array): void;
  /** Oldest first, without line ends. */
  lines(): readonly string[];
}

const keptBytes = 64 << 10;

export function outputTail(maxLines: number): OutputTail {
  let chunks: Buffer[] = [];
  let bytes = 0;
  return {
    add(chunk) {
      chunks.push(Buffer.from(chunk));
      bytes += chunk.length;
      if (bytes > 2 * keptBytes) {
        const kept = Buffer.concat(chunks).subarray(-keptBytes);
        chunks = [Buffer.from(kept)];
        bytes = kept.length;
      }
    },
    lines() {
      const text = Buffer.concat(chunks).toString("utf8").replace(/\r\n/g, "\n").replace(/\n$/, "");
      return text === "" ? [] : text.split("\n").slice(-maxLines);
    },
  };
}
