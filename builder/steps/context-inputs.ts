import { hashFiles, type ScanEntry } from "../../runtime-addon/index.ts";
import { type Digest, digestFromBytes, digestOf, hexOf } from "../../store/digest.ts";
import { readRecord, writeRecord } from "../../store/records.ts";
import type { Store } from "../../store/store.ts";
import type { DirectoryContext, ScannedSource } from "../context/directory.ts";
import { readingContext } from "../context/reading-context.ts";
import { isRacy, type StatCache, statCache } from "../context/stat-cache.ts";
import type { CopyOperation } from "../plan/operation.ts";
import type { CopyInputs } from "./copy-inputs.ts";
import type { SourceNode } from "./copy-source.ts";
import { irrelevantTo, type SourceRoot, sourceMerkles } from "./source-merkles.ts";

/** The build context as COPY sees it, with what earlier builds learned of its files. */
export interface ContextReader {
  inputs(operation: CopyOperation): Promise<CopyInputs>;
  /** Writes down what this build learned. */
  save(): Promise<void>;
}

/** Merkle roots by what was asked for; each with the fingerprint of the scan that they are true for. */
type KnownRoots = Record<string, { readonly fingerprint: Digest; readonly roots: readonly SourceRoot[] }>;

/** `root` must be the context's real path: it names the caches. */
export function contextReader(store: Store, context: DirectoryContext, now: () => number): ContextReader {
  const statsName = hexOf(digestOf(`stats ${context.root}`));
  const rootsName = hexOf(digestOf(`roots ${context.root}`));
  let stats: Promise<StatCache> | undefined;
  let known: Promise<KnownRoots> | undefined;
  let learned = false;
  const reading = <T>(work: () => Promise<T>) => readingContext(context.root, store.root, work);

  const readStats = () => {
    stats ??= readRecord(store, "contexts", statsName).then(statCache);
    return stats;
  };
  const readKnown = () => {
    known ??= readRecord(store, "contexts", rootsName).then((bytes) =>
      bytes === undefined ? {} : (JSON.parse(bytes.toString("utf8")) as KnownRoots),
    );
    return known;
  };

  return {
    async inputs(operation) {
      const seenAtMs = now();
      const found: ScannedSource[] = [];
      await reading(async () => {
        for (const source of operation.sources) found.push(...(await context.find(source)));
      });
      const asked = digestOf(JSON.stringify(["root and unnamed", operation.sources, irrelevantTo(operation)]));
      const fingerprint = digestOf(found.map(({ name, fingerprint }) => `${name} ${fingerprint}`).join("\n"));
      const sources = () => found.map((source) => ({ name: source.name, nodes: source.list().nodes }));

      return {
        async knownRoots() {
          const row = (await readKnown())[asked];
          return row?.fingerprint === fingerprint ? row.roots : undefined;
        },
        sources: async () => sources(),
        async merkles(given) {
          const cache = await readStats();
          const digests = await reading(() => digestsOf(found, context.root, given, cache, seenAtMs));
          return sourceMerkles(sources(), (node) => digests.get(node) as Digest, operation);
        },
        async saveRoots(roots) {
          if (found.some((source) => source.list().scanned.some((entry) => isRacy(entry, seenAtMs)))) return;
          (await readKnown())[asked] = { fingerprint, roots: roots.map(({ root, unnamed }) => ({ root, unnamed })) };
          learned = true;
        },
        reading,
      };
    },

    async save() {
      if (learned) await writeRecord(store, "contexts", rootsName, Buffer.from(JSON.stringify(await readKnown()), "utf8"));
      const cache = stats === undefined ? undefined : await stats;
      if (cache?.changed) await writeRecord(store, "contexts", statsName, cache.encode());
    },
  };
}

async function digestsOf(
  found: readonly ScannedSource[],
  root: string,
  given: ReadonlyMap<SourceNode, Digest> | undefined,
  cache: StatCache,
  seenAtMs: number,
): Promise<ReadonlyMap<SourceNode, Digest>> {
  const digests = new Map<SourceNode, Digest>();
  const unknown: { readonly node: SourceNode; readonly entry: ScanEntry }[] = [];
  for (const source of found) {
    const { nodes, scanned } = source.list();
    if (scanned[0] !== undefined) cache.cover(scanned[0].path);
    for (const [i, node] of nodes.entries()) {
      const entry = scanned[i];
      if (node.kind !== "file" || entry === undefined) continue;
      const read = given?.get(node);
      const digest = read ?? cache.digest(entry);
      if (digest === undefined) unknown.push({ node, entry });
      else digests.set(node, digest);
      if (read !== undefined) cache.remember(entry, read, seenAtMs);
    }
  }
  if (unknown.length > 0) {
    const hashes = await hashFiles(
      root,
      unknown.map(({ entry }) => entry.path),
    );
    for (const [i, { node, entry }] of unknown.entries()) {
      const digest = digestFromBytes(hashes.subarray(i * 32, i * 32 + 32));
      digests.set(node, digest);
      cache.remember(entry, digest, seenAtMs);
    }
  }
  return digests;
}
