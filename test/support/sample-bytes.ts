/** Bytes that compress to about a half, the same everywhere: runs of words and of what looks random. */
export function sampleBytes(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let state = 1;
  for (let at = 0; at < size; ) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    const run = Math.min(16 + ((state >>> 8) % 48), size - at);
    if ((state & 0x1_0000) === 0) bytes.write("the same few words, again and again and again and again, ".slice(0, run), at, "latin1");
    else
      for (let i = 0; i < run; i++) {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
        bytes[at + i] = state >>> 16;
      }
    at += run;
  }
  return bytes;
}
