import { type Digest, digestOf, hexOf } from "../../store/digest.ts";
import type { LayerInfo } from "../../store/layers.ts";
import { type RecordArea, readRecord, writeRecord } from "../../store/records.ts";
import type { Store } from "../../store/store.ts";
import { type KeyContext, type KeyTree, keyDigest, keyVersion, operationDigest } from "../plan/key.ts";
import type { Merkle } from "./merkle.ts";

/** The result of a step that ran, under its key. The key's tree is kept so that hits can be proved and misses explained. */
export interface StepRecord {
  readonly version: number;
  readonly key: KeyTree;
  readonly layer: LayerInfo;
  /** As of operationDigest: its record of "by-op" stays as long as any step has it. Absent in records of earlier versions. */
  readonly operation?: Digest;
  /** When the step ran, RFC 3339: the history entry's time, so that a cached build gives the same config. */
  readonly created: string;
  /** Ids of the secrets that were found in the layer and allowed there: a build that does not allow them has no use for it. Absent: none. */
  readonly secrets?: readonly string[];
}

/** What besides its content makes a layer the same: what it stands on, and what decides the times and bytes of its tar. */
export type ContentContext = Pick<KeyContext, "parent" | "epoch" | "writer">;

/** Records of steps in one store. Losing any of it costs time, never correctness. */
export interface StepCache {
  /** The record of a key, if its layer is still there. */
  find(key: KeyTree): Promise<StepRecord | undefined>;
  /** Whether any step with this operation was ever recorded, on whatever parent and sources; `words` are its sources as written. */
  knowsOperation(key: KeyTree, words?: readonly string[]): Promise<boolean>;
  /** `merkles`: the sources' directory nodes, kept once each. */
  save(record: Omit<StepRecord, "version" | "operation">, merkles?: readonly Merkle[], words?: readonly string[]): Promise<void>;
  /** The record whose layer had this content over a parent of this content, under the same epoch and writer. */
  findContent(context: ContentContext, content: Digest): Promise<StepRecord | undefined>;
  /** Merkle roots that were worked out before for the same immutable origin. */
  roots(origin: Digest): Promise<readonly Digest[] | undefined>;
  saveRoots(origin: Digest, roots: readonly Digest[]): Promise<void>;
}

/** `allowed`: ids of the secrets that layers may hold. */
export function stepCache(store: Store, allowed: readonly string[] = []): StepCache {
  const read = (area: RecordArea, key: Digest) => readRecord(store, area, hexOf(key));
  const write = (area: RecordArea, key: Digest, body: string) => writeRecord(store, area, hexOf(key), Buffer.from(body, "utf8"));

  async function present(bytes: Buffer | undefined): Promise<StepRecord | undefined> {
    if (bytes === undefined) return undefined;
    const record = JSON.parse(bytes.toString("utf8")) as StepRecord;
    if (record.version !== keyVersion) return undefined;
    if (record.secrets?.some((id) => !allowed.includes(id))) return undefined;
    // Pinned first: what is there afterwards stays.
    await store.pin(record.layer.diffId, record.layer.blob.digest);
    return (await store.blobs.has(record.layer.blob)) ? record : undefined;
  }

  async function find(key: Digest): Promise<StepRecord | undefined> {
    return present(await read("steps", key));
  }

  return {
    find: (key) => find(keyDigest(key)),

    async knowsOperation(key, words) {
      return (await read("by-op", operationDigest(key, words))) !== undefined;
    },

    async save({ secrets = [], ...record }, merkles = [], words = []) {
      const found = secrets.length === 0 ? {} : { secrets };
      const key = keyDigest(record.key);
      const operation = operationDigest(record.key, words);
      for (const { nodes } of merkles) {
        for (const [digest, text] of nodes) if ((await read("nodes", digest)) === undefined) await write("nodes", digest, text);
      }
      await write("steps", key, JSON.stringify({ version: keyVersion, ...record, operation, ...found }));
      await write("by-op", operation, key);
      await write("by-content", contentKey(record.key, record.layer.contentId), key);
    },

    async findContent(context, content) {
      const key = await read("by-content", contentKey(context, content));
      const record = key === undefined ? undefined : await find(key.toString("utf8") as Digest);
      // The step may have run again since, with another result under the same key.
      return record?.layer.contentId === content ? record : undefined;
    },

    async roots(origin) {
      const bytes = await read("roots", origin);
      return bytes === undefined ? undefined : (JSON.parse(bytes.toString("utf8")) as Digest[]);
    },

    saveRoots: (origin, roots) => write("roots", origin, JSON.stringify(roots)),
  };
}

function contentKey({ parent, epoch = null, writer }: KeyTree | ContentContext, content: Digest): Digest {
  return digestOf(JSON.stringify([parent, epoch, writer, content]));
}
