import type { ByteString } from "../../runtime-addon/index.ts";
import { digestOf } from "../../store/digest.ts";
import type { NodeEntry } from "../../store/layer/entry.ts";
import { joinPath, rootPath } from "../../store/layer/entry-path.ts";
import { noTime } from "../../store/layer/no-time.ts";
import type { CopyInputs } from "./copy-inputs.ts";
import type { CopySource, SourceNode } from "./copy-source.ts";
import type { SourceRoot } from "./source-merkles.ts";

/** What can be seen of an entry itself, beside its content: its root does not say it of a directory. */
export function ownAttributes({ kind, mode, uid, gid, xattrs = {} }: NodeEntry): readonly unknown[] {
  return kind === "directory" ? [mode, uid, gid, Object.entries(xattrs).sort()] : [];
}

/**
 * Sources under this name, each with its own attributes: where COPY takes of a directory what is in it, it takes the directory. So a COPY to "/" makes of a
 * source one entry.
 */
export function entryInputs(inputs: CopyInputs, name: ByteString): CopyInputs {
  /** What each of the nodes is in the given inputs. */
  const originals = new Map<SourceNode, SourceNode>();
  let found: Promise<readonly CopySource[]> | undefined;
  let hashed: readonly SourceRoot[] = [];

  const sources = () => {
    found ??= inputs.sources().then((all) => all.map(({ nodes }) => ({ name: rootPath, nodes: [emptyRoot, ...nodes.map(moved)] })));
    return found;
  };
  const moved = (node: SourceNode): SourceNode => {
    const path = node.path === rootPath ? name : joinPath(name, node.path);
    const entry = node.kind === "hardlink" ? { ...node, path, target: joinPath(name, node.target) } : { ...node, path };
    originals.set(entry, node);
    return entry;
  };
  const withOwn = async <Root extends SourceRoot>(roots: readonly Root[]): Promise<readonly Root[]> => {
    const all = await sources();
    return roots.map((one, i) => {
      const [, top] = all[i]?.nodes ?? [];
      if (top === undefined) throw new RangeError("a root without its source");
      const root = digestOf(JSON.stringify(["entry", one.unnamed, ...ownAttributes(top)]));
      return { ...one, root, unnamed: root };
    });
  };

  return {
    ...inputs,
    sources,
    async knownRoots() {
      const known = await inputs.knownRoots();
      return known === undefined ? undefined : withOwn(known);
    },
    async merkles(known = new Map()) {
      const merkles = await inputs.merkles(new Map([...known].map(([node, digest]) => [originals.get(node) ?? node, digest])));
      hashed = merkles;
      return withOwn(merkles);
    },
    saveRoots: () => inputs.saveRoots(hashed),
  };
}

const emptyRoot: SourceNode = { kind: "directory", path: rootPath, mode: 0o755, uid: 0, gid: 0, ...noTime };
