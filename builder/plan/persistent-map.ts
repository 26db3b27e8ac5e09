interface Entry<Value> {
  readonly key: string;
  readonly value: Value;
  readonly hash: number;
  /** Its place among the entries. */
  readonly order: number;
}

/** A hash trie (Bagwell, "Ideal Hash Trees"): each level of branches tells keys apart by four more bits of their hashes. */
type Node<Value> = { readonly entries: readonly Entry<Value>[] } | { readonly slots: readonly (Node<Value> | undefined)[] };

const bits = 4;
/** Keys that are in one leaf behind so many branches have the same hash. */
const levels = 32 / bits;
const emptySlots: readonly undefined[] = new Array(2 ** bits).fill(undefined);

/**
 * A map that never changes: a map with one entry more shares all but a few nodes with the one before, so that each of many states of a long
 * map may be kept. In the order in which keys were first set.
 */
export class PersistentMap<Value> implements Iterable<readonly [string, Value]> {
  readonly size: number;
  private readonly root: Node<Value> | undefined;
  private readonly nextOrder: number;

  private constructor(root: Node<Value> | undefined, size: number, nextOrder: number) {
    this.root = root;
    this.size = size;
    this.nextOrder = nextOrder;
  }

  static of<Value>(entries: Iterable<readonly [string, Value]> = []): PersistentMap<Value> {
    let map = new PersistentMap<Value>(undefined, 0, 0);
    for (const [key, value] of entries) map = map.with(key, value);
    return map;
  }

  get(key: string): Value | undefined {
    return this.find(key, hashOf(key))?.value;
  }

  has(key: string): boolean {
    return this.find(key, hashOf(key)) !== undefined;
  }

  /** A key that is there keeps its place. */
  with(key: string, value: Value): PersistentMap<Value> {
    const hash = hashOf(key);
    const there = this.find(key, hash);
    return this.put({ key, value, hash, order: there?.order ?? this.nextOrder }, there === undefined);
  }

  /** A key that is there goes behind all others. */
  withLast(key: string, value: Value): PersistentMap<Value> {
    const hash = hashOf(key);
    return this.put({ key, value, hash, order: this.nextOrder }, this.find(key, hash) === undefined);
  }

  *keys(): IterableIterator<string> {
    for (const { key } of this.inOrder()) yield key;
  }

  *[Symbol.iterator](): Iterator<readonly [string, Value]> {
    for (const { key, value } of this.inOrder()) yield [key, value];
  }

  record(): Readonly<Record<string, Value>> {
    return Object.fromEntries(this);
  }

  private find(key: string, hash: number): Entry<Value> | undefined {
    let node = this.root;
    for (let level = 0; node !== undefined && "slots" in node; level++) node = node.slots[slotAt(hash, level)];
    return node?.entries.find((entry) => entry.key === key);
  }

  private put(entry: Entry<Value>, isNew: boolean): PersistentMap<Value> {
    return new PersistentMap(withEntry(this.root, entry, 0), this.size + (isNew ? 1 : 0), this.nextOrder + 1);
  }

  private inOrder(): readonly Entry<Value>[] {
    const found: Entry<Value>[] = [];
    collect(this.root, found);
    return found.sort((a, b) => a.order - b.order);
  }
}

function withEntry<Value>(node: Node<Value> | undefined, entry: Entry<Value>, level: number): Node<Value> {
  if (node === undefined) return { entries: [entry] };
  if ("slots" in node) {
    const slot = slotAt(entry.hash, level);
    return { slots: node.slots.with(slot, withEntry(node.slots[slot], entry, level + 1)) };
  }
  const entries = [...node.entries.filter(({ key }) => key !== entry.key), entry];
  if (entries.length === 1 || level === levels) return { entries };
  return entries.reduce<Node<Value>>((branch, one) => withEntry(branch, one, level), { slots: emptySlots });
}

function collect<Value>(node: Node<Value> | undefined, found: Entry<Value>[]): void {
  if (node === undefined) return;
  if ("entries" in node) found.push(...node.entries);
  else for (const slot of node.slots) collect(slot, found);
}

function slotAt(hash: number, level: number): number {
  return (hash >>> (bits * level)) & (2 ** bits - 1);
}

/** FNV-1a (draft-eastlake-fnv), over UTF-16 units. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
