import { createWriteStream } from "node:fs";
import { checkStore } from "../../store/check/check-store.ts";
import { collectGarbage } from "../../store/gc/collect.ts";
import { openStore, saveImages } from "../../store/index.ts";
import { transientFiles } from "./layout.ts";

/** What verify finds in a store, after each listed image was exported whole. */
export async function problemsIn(root: string): Promise<readonly string[]> {
  await using store = await openStore(root);
  const problems = (await checkStore(store)).map(({ kind, subject, problem }) => `${kind} ${subject}: ${problem}`);
  for (const { manifestDigest } of await store.images.list()) {
    const sink = createWriteStream("/dev/null");
    await saveImages(store, [{ image: await store.images.open(manifestDigest) }], { stream: sink });
    sink.destroy();
  }
  return problems;
}

export async function namesIn(root: string): Promise<readonly string[]> {
  await using store = await openStore(root);
  return (await store.images.list()).flatMap(({ names }) => names).sort();
}

/** What prune cannot give back although nothing needs it. */
export async function garbageLeftIn(root: string): Promise<readonly string[]> {
  await using store = await openStore(root);
  await collectGarbage(store);
  const { totalBytes } = await collectGarbage(store, { dryRun: true });
  await store.close();
  return [...(totalBytes > 0 ? [`${totalBytes} bytes`] : []), ...transientFiles(root)];
}
