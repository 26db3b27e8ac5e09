import { type Digest, digestOf, hexOf } from "../../store/digest.ts";
import { readRecord, writeRecord } from "../../store/records.ts";
import type { Store } from "../../store/store.ts";
import type { DirectoryContext, ScannedSource } from "../context/directory.ts";
import { readingContext } from "../context/reading-context.ts";
import { isRacy, type StatCache, statCache } from "../context/stat-cache.ts";
import { type CopyInputs, type InputsRequest, requestDigest } from "./copy-inputs.ts";
import { digestsOf, type FileMemory, findSources, toCopySources } from "./scanned-inputs.ts";
import { type SourceRoot, sourceMerkles } from "./source-merkles.ts";

/** A context as COPY sees it, with what earlier builds learned of its files. */
export interface ContextReader {
  inputs(request: InputsRequest): Promise<CopyInputs>;
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
    async inputs(request) {
      const seenAtMs = now();
      const { found, warnings } = await reading(() => findSources(context, request));
      const asked = requestDigest(request, "context");
      const fingerprint = digestOf(found.map(({ name, fingerprint }) => `${name} ${fingerprint}`).join("\n"));

      return {
        async knownRoots() {
          const row = (await readKnown())[asked];
          return row?.fingerprint === fingerprint ? row.roots : undefined;
        },
        warnings,
        sources: async () => toCopySources(found),
        async merkles(given) {
          const memory = memoryOf(await readStats(), found, seenAtMs);
          const digest = await reading(() => digestsOf(found, context.root, given, memory));
          return sourceMerkles(toCopySources(found), digest, request.irrelevant);
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

function memoryOf(cache: StatCache, found: readonly ScannedSource[], seenAtMs: number): FileMemory {
  for (const source of found) {
    const [top] = source.list().scanned;
    if (top !== undefined && source.isWhole) cache.cover(top.path);
  }
  return {
    digest: (entry) => cache.digest(entry),
    remember: (entry, digest) => cache.remember(entry, digest, seenAtMs),
  };
}
