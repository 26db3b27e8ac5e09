/** Below /dev, where no layer reaches. */
const path = "/dev/tsbuild/apt.conf";

/** What makes apt take these options: read before the image's own files, which win (apt.conf(5)). Nothing for none. */
export function aptOptions(lines: readonly string[]): {
  readonly files: readonly { readonly target: string; readonly content: string }[];
  readonly env: Readonly<Record<string, string>>;
} {
  if (lines.length === 0) return { files: [], env: {} };
  return { files: [{ target: path, content: lines.map((line) => `${line}\n`).join("") }], env: { APT_CONFIG: path } };
}
