/** Overlay refuses one directory twice; of equal layers the topmost counts. `directories` bottom first, the result topmost first. */
export function overlayLowers(directories: readonly string[]): readonly string[] {
  return [...new Set([...directories].reverse())];
}
