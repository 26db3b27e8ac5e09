import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const CHECKOUT = fileURLToPath(new URL("..", import.meta.url));

/** Makes one file for Node of a program in TypeScript, given by its path in the checkout, and hands its path to `work`; it is gone afterwards. */
export async function withBundled(entry, work) {
  const place = mkdtempSync(join(tmpdir(), "tsbuild-bundled-"));
  const program = join(place, "program.mjs");
  try {
    await build({
      entryPoints: [join(CHECKOUT, entry)],
      outfile: program,
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node20",
      logLevel: "error",
      // Packages of the older kind ask for Node's own modules by it.
      banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    });
    return await work(program);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}
