import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type ByteString, bytesOf } from "../../../runtime-addon/index.ts";
import type { SourceEntry } from "../../../store/layer/entry.ts";
import { inFolder, mergeLayers } from "../../../store/layer/merge.ts";
import { type RootfsLayer, stackRootfs } from "../../../store/layer/rootfs.ts";
import { streamTar } from "../../../store/layer/tar-stream.ts";
import { writeLayer } from "../../../store/layer/tar-write.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { entriesOf } from "../sample-image.ts";

let count = 0;

async function layerOf(entries: readonly SourceEntry[]): Promise<RootfsLayer> {
  const tar = join(temporaryDirectory("merge"), `${count++}.tar`);
  const tree = await writeLayer(entries, tar, { sync: false, ignoreMtime: () => false });
  return { tree, tar: async () => tar };
}

/** Links into lower layers, as other tools write them and ours does not. */
async function foreignLinks(...links: readonly Extract<SourceEntry, { kind: "hardlink" }>[]): Promise<RootfsLayer> {
  const layer = await layerOf([]);
  return { ...layer, tree: { ...layer.tree, entries: links } };
}

const opaque = (path: string): SourceEntry => ({ kind: "opaque", path: bytesOf(path) });

const link = (path: string, target: string) =>
  ({ kind: "hardlink", path: bytesOf(path), target: bytesOf(target), mode: 0o644, uid: 0, gid: 0, mtime: 1e9, mtimeNsec: 0 }) as const;

/** All that a stack of layers shows; files that are one file under several names share a number. */
function shown(layers: readonly RootfsLayer[]): string[] {
  const rootfs = stackRootfs(layers);
  const inodes = new Map<string, string>();
  return [...rootfs.walk("" as ByteString)].map((entry) => {
    if (entry.kind !== "file") return JSON.stringify(entry);
    const { offset: _offset, ...rest } = entry as typeof entry & { offset: number };
    const inode = rootfs.inode(entry);
    if (!inodes.has(inode)) inodes.set(inode, entry.path);
    return JSON.stringify({ ...rest, inode: inodes.get(inode) });
  });
}

async function mergedOver(base: readonly RootfsLayer[], layers: readonly RootfsLayer[]): Promise<RootfsLayer> {
  return layerOf(await mergeLayers(base, layers));
}

describe("layers merged into one", () => {
  it.each<[name: string, base: SourceEntry[], layers: SourceEntry[][], paths: string[]]>([
    ["a file added", entriesOf({ a: "1" }), [entriesOf({ b: "2" })], ["file b"]],
    ["a file made and removed again leaves nothing", [], [entriesOf({ t: "1" }), entriesOf({ t: null })], []],
    ["a file of the base removed", entriesOf({ a: "1" }), [entriesOf({ a: null })], ["whiteout a"]],
    ["one replaced twice", entriesOf({ a: "1" }), [entriesOf({ a: "2" }), entriesOf({ a: "3" })], ["file a"]],
    ["one removed and made again", entriesOf({ a: "1" }), [entriesOf({ a: null }), entriesOf({ a: "3" })], ["file a"]],
    [
      "a directory removed and made again hides what the base had in it",
      entriesOf({ "d/": "", "d/a": "1" }),
      [entriesOf({ d: null }), entriesOf({ "d/": "", "d/b": "2" })],
      ["directory d", "opaque d", "file d/b"],
    ],
    ["the same of an empty directory", entriesOf({ "d/": "" }), [entriesOf({ d: null }), entriesOf({ "d/": "" })], ["directory d"]],
    ["an opaque directory", entriesOf({ "d/": "", "d/a": "1" }), [[...entriesOf({ "d/": "" }), opaque("d")]], ["directory d", "opaque d"]],
    [
      "an opaque directory below one that is only implied",
      entriesOf({ "d/": "", "d/e/": "", "d/e/a": "1" }),
      [[opaque("d/e")]],
      ["directory d/e", "opaque d/e"],
    ],
    ["a directory that became a file", entriesOf({ "d/": "", "d/a": "1" }), [entriesOf({ d: "file" })], ["file d"]],
    [
      "a file that became a directory",
      entriesOf({ d: "1" }),
      [entriesOf({ d: null }), entriesOf({ "d/": "", "d/a": "2" })],
      ["directory d", "file d/a"],
    ],
    ["a directory of the base that is only on the way", entriesOf({ "d/": "" }), [entriesOf({ "d/a": "1" })], ["file d/a"]],
  ])("%s", async (_name, baseEntries, layerEntries, paths) => {
    const base = [await layerOf(baseEntries)];
    const layers = await Promise.all(layerEntries.map(layerOf));
    const merged = await mergedOver(base, layers);
    expect(merged.tree.entries.map(({ kind, path }) => `${kind} ${path}`)).toEqual(paths);
    expect(names(shown([...base, merged]))).toEqual(names(shown([...base, ...layers])));
  });

  /** A link between layers is none in a file system of layers: what matters is what each name holds. */
  const names = (lines: readonly string[]) => lines.map((line) => line.replace(/,"inode":"[^"]*"/, ""));

  it.each(Array.from({ length: 60 }, (_, seed) => [seed + 1]))("random layers, seed %i", async (seed) => {
    let state = seed;
    const random = (below: number) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return (state >>> 8) % below;
    };
    const all: RootfsLayer[] = [];
    for (let n = 0; n < 6; n++) {
      const lower = stackRootfs(all);
      const entries = new Map<string, SourceEntry>();
      const visit = (directory: string, depth: number) => {
        for (const name of ["a", "b", "c"]) {
          const path = directory === "" ? name : `${directory}/${name}`;
          const choice = random(12);
          if (choice < 2 && lower.lookup(bytesOf(path)) !== undefined) entries.set(path, { kind: "whiteout", path: bytesOf(path) });
          else if (choice < 4) entries.set(path, entriesOf({ [path]: String(random(100)) })[0] as SourceEntry);
          else if (choice < 9 && depth < 3) {
            const isMade = choice < 7 || lower.lookup(bytesOf(path))?.kind !== "directory";
            if (isMade)
              entries.set(path, { ...(entriesOf({ [`${path}/`]: "" })[0] as SourceEntry), mode: 0o700 + random(64) } as SourceEntry);
            if (random(4) === 0) entries.set(`${path} opaque`, opaque(path));
            visit(path, depth + 1);
          }
        }
      };
      visit("", 0);
      all.push(await layerOf([...entries.values()]));
    }
    for (const cut of [0, 1, 3]) {
      const [base, layers] = [all.slice(0, cut), all.slice(cut)];
      expect(shown([...base, await mergedOver(base, layers)]), `base of ${cut}`).toEqual(shown(all));
    }
  });

  it("hold links into the base as files, and links into each other as links", async () => {
    const base = [await layerOf(entriesOf({ a: "1" }))];
    const layers = [
      await foreignLinks(link("c", "a")),
      await layerOf(entriesOf({ x: "2" })),
      await foreignLinks(link("b", "a"), link("y", "x")),
    ];
    const merged = await mergedOver(base, layers);
    expect(merged.tree.entries.map((entry) => [entry.kind, entry.path, "target" in entry ? entry.target : ""])).toEqual([
      ["file", "b", ""],
      ["hardlink", "c", "b"],
      ["file", "x", ""],
      ["hardlink", "y", "x"],
    ]);
    expect(names(shown([...base, merged]))).toEqual(names(shown([...base, ...layers])));
  });

  it("stream the bytes that they are written as, however large the files are", async () => {
    const layers = [
      await layerOf(entriesOf({ "d/": "", "d/small": "1", large: "x".repeat(700_001), empty: "" })),
      await layerOf(entriesOf({ many: "y".repeat(65_536), "d/other": "z".repeat(65_537) })),
    ];
    const entries = await mergeLayers([], layers);
    const file = join(temporaryDirectory("merge"), "written.tar");
    await writeLayer(entries, file, { sync: false, ignoreMtime: () => false });
    const chunks: Uint8Array[] = [];
    for await (const chunk of streamTar(entries)) chunks.push(chunk);
    expect(Buffer.concat(chunks).equals(readFileSync(file))).toBe(true);
  });

  it("are one directory further down in a folder, hard links too", async () => {
    const entries = await mergeLayers([], [await layerOf([...entriesOf({ a: "1" }), link("b", "a")])]);
    const layer = await layerOf(inFolder(bytesOf("web"), entries));
    expect(layer.tree.entries.map((entry) => [entry.path, "target" in entry ? entry.target : ""])).toEqual([
      ["web", ""],
      ["web/a", ""],
      ["web/b", "web/a"],
    ]);
  });
});
