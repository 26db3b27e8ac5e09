import { join } from "node:path";
import type { CopySource, SourceNode } from "../../../builder/steps/copy-source.ts";
import { type ByteString, bytesOf, textOf } from "../../../runtime-addon/index.ts";
import { digestOf } from "../../../store/digest.ts";
import { canonicalEntries } from "../../../store/layer/canonical.ts";
import type { SourceEntry, TreeEntry } from "../../../store/layer/entry.ts";
import { type Rootfs, stackRootfs } from "../../../store/layer/rootfs.ts";
import { writeLayer } from "../../../store/layer/tar-write.ts";
import type { Tree } from "../../../store/layer/tree.ts";
import { directoryEntry } from "../../store/layer/samples.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

/** A root file system of hand-made layers, bottom first: there are no contents in it. */
export function handmadeRootfs(...layers: readonly (readonly SourceEntry[])[]): Rootfs {
  return stackRootfs(
    layers.map((entries) => ({
      tree: treeOf(entries),
      tar: async () => {
        throw new Error("a content was asked for");
      },
    })),
  );
}

function treeOf(entries: readonly SourceEntry[]): Tree {
  const indexed = canonicalEntries(entries).map((entry, i): TreeEntry => {
    if (entry.kind !== "file") return entry;
    const { content, ...rest } = entry;
    return { ...rest, digest: digestOf(content.at === "bytes" ? content.bytes : ""), offset: (i + 1) * 1024 };
  });
  return { diffId: digestOf(JSON.stringify(indexed)), contentId: digestOf(""), size: 0, entries: indexed };
}

/** A root file system of written layers, bottom first, whose contents can be read. */
export async function writtenRootfs(...layers: readonly (readonly SourceEntry[])[]): Promise<Rootfs> {
  const directory = temporaryDirectory("rootfs");
  const written = [];
  for (const [i, entries] of layers.entries()) {
    const tar = join(directory, `${i}.tar`);
    written.push({ tree: await writeLayer(entries, tar, { sync: false, ignoreMtime: () => false }), tar: async () => tar });
  }
  return stackRootfs(written);
}

/** A source as COPY finds it: a file when its only node has the path "", else a directory. */
export function source(name: string, ...nodes: readonly SourceEntry[]): CopySource {
  const [first] = nodes;
  const isWhole = first?.path === "";
  return { name: bytesOf(name), nodes: [...(isWhole ? [] : [directoryEntry("")]), ...nodes] as SourceNode[] };
}

/** One line an entry, sorted by path: kind, mode, owner, mtime, path, and what a link leads to. */
export function shown(entries: readonly SourceEntry[]): string[] {
  return [...entries]
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .map((entry) => {
      if (entry.kind === "whiteout" || entry.kind === "opaque") return `${entry.kind} ${entry.path}`;
      const { mode, uid, gid, mtime, mtimeNsec } = entry;
      const time = mtimeNsec === 0 ? mtime : `${mtime}.${mtimeNsec}`;
      const to = entry.kind === "symlink" ? ` -> ${text(entry.target)}` : entry.kind === "hardlink" ? ` = ${text(entry.target)}` : "";
      return `${letters[entry.kind]} ${mode.toString(8)} ${uid}:${gid} ${time} ${text(entry.path)}${to}`;
    });
}

const letters = { file: "f", directory: "d", symlink: "l", hardlink: "h", char: "c", block: "b", fifo: "p" } as const;

function text(path: ByteString): string {
  return textOf(path);
}
