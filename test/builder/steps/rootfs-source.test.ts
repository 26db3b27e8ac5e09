import { describe, expect, it } from "vitest";
import { findInRootfs, toCopySource, toHashable } from "../../../builder/steps/rootfs-source.ts";
import { type ByteString, textOf } from "../../../runtime-addon/index.ts";
import { digestOf } from "../../../store/digest.ts";
import type { SourceEntry } from "../../../store/layer/entry.ts";
import type { Rootfs } from "../../../store/layer/rootfs.ts";
import {
  directoryEntry as dir,
  fileEntry as file,
  hardlinkEntry as hard,
  symlinkEntry as link,
  opaque,
  whiteout,
} from "../../store/layer/samples.ts";
import { handmadeRootfs, writtenRootfs } from "./trees.ts";

const rootfs = handmadeRootfs(
  [
    dir("app"),
    file("app/a.txt", "a", { uid: 5, mode: 0o600 }),
    file("app/b.txt", "b"),
    file("app/.hidden", "h"),
    dir("app/sub"),
    file("app/sub/c.txt", "c"),
    link("app/to-a", "a.txt"),
    link("app/to-sub", "sub"),
    link("current", "/app"),
    link("out", "../../../etc/passwd"),
    link("loop", "loop"),
    link("dangling", "nowhere"),
    dir("gone"),
    file("gone/x", "x"),
    dir("replaced"),
    file("replaced/old", "old"),
    { ...file("bytes", ""), path: "n\xff" as ByteString },
  ],
  [whiteout("gone"), dir("replaced"), opaque("replaced"), file("replaced/new", "new"), file("app/b.txt", "other")],
);

/** Each source found, as "name: paths". */
function found(source: string, from: Rootfs = rootfs): string[] {
  return findInRootfs(from, source, 'stage "s"').map((one) => {
    const { nodes } = toHashable(from, one).source;
    return `${textOf(one.name)}: ${nodes.map(({ path, kind }) => (path === "" ? `(${kind})` : path)).join(" ")}`;
  });
}

describe("COPY --from finds", () => {
  it.each<[name: string, source: string, expected: string[]]>([
    ["a file", "app/a.txt", ["a.txt: (file)"]],
    ["a directory with all that is in it", "app", ["app: (directory) .hidden a.txt b.txt sub sub/c.txt to-a to-sub"]],
    [
      "the root",
      "",
      [
        ": (directory) app app/.hidden app/a.txt app/b.txt app/sub app/sub/c.txt app/to-a app/to-sub current dangling loop n\xff out replaced replaced/new",
      ],
    ],
    ["what a symlink leads to, under the link's name", "app/to-a", ["to-a: (file)"]],
    ["a directory through a symlink", "app/to-sub", ["to-sub: (directory) c.txt"]],
    ["through an absolute symlink, from the root", "current/sub/c.txt", ["c.txt: (file)"]],
    ["what an upper layer put in an opaque directory", "replaced", ["replaced: (directory) new"]],
    [
      "by a star, hidden names too",
      "app/*",
      [".hidden: (file)", "a.txt: (file)", "b.txt: (file)", "sub: (directory) c.txt", "to-a: (file)", "to-sub: (directory) c.txt"],
    ],
    ["by a star in one name", "app/*.txt", ["a.txt: (file)", "b.txt: (file)"]],
    ["by a star in the middle, not through symlinks", "app/*/c.txt", ["c.txt: (file)"]],
    ["by a question mark", "app/?.txt", ["a.txt: (file)", "b.txt: (file)"]],
    ["by a class, in which ! is a character", "app/[!b]*.txt", ["b.txt: (file)"]],
    ["by a negated class", "app/[^b].txt", ["a.txt: (file)"]],
    ["nothing where a wildcard matches nothing", "nope*", []],
    ["nothing of a removed directory by a wildcard", "gon*", []],
    ["nothing of a symlink that leads nowhere by a wildcard", "dangl*", []],
    ["a star that does not cross a slash", "a*t", []],
  ])("%s", (_name, source, expected) => {
    expect(found(source)).toEqual(expected);
  });

  it.each(["nope", "gone", "gone/x", "replaced/old", "dangling", "app/a.txt/x", "etc/passwd"])("no %s", (source) => {
    expect(() => found(source)).toThrow(
      expect.objectContaining({
        code: "COPY_SOURCE_NOT_FOUND",
        message: `looking for "/${source}" in stage "s": no such file or directory`,
      }),
    );
  });

  it("no source that would lead out, and says it as it was written", () => {
    expect(() => findInRootfs(handmadeRootfs(), "x", 'stage "s"', { parents: false, exclude: [] }, "../x")).toThrow(
      'looking for "../x" in stage "s": no such file or directory',
    );
  });

  it("nothing of the host through a symlink that would lead out", () => {
    expect(() => found("out")).toThrow(expect.objectContaining({ code: "COPY_SOURCE_NOT_FOUND" }));
  });

  it("no end of a symlink that leads in a circle", () => {
    expect(() => found("loop")).toThrow(expect.objectContaining({ code: "SYMLINK_LOOP" }));
  });

  it("the root of an image without layers", () => {
    expect(found("", handmadeRootfs())).toEqual([": (directory)"]);
  });
});

describe("its nodes", () => {
  it("keep attributes, and the digest of the topmost content", () => {
    const [one] = findInRootfs(rootfs, "app", "image");
    if (one === undefined) throw new Error("not found");
    const { source, digests } = toHashable(rootfs, one);
    const byPath = new Map(source.nodes.map((node) => [node.path as string, node]));
    expect(byPath.get("a.txt")).toMatchObject({ kind: "file", uid: 5, mode: 0o600, size: 1 });
    expect([...digests].map(([{ path }, digest]) => [path, digest])).toEqual([
      [".hidden", digestOf("h")],
      ["a.txt", digestOf("a")],
      ["b.txt", digestOf("other")],
      ["sub/c.txt", digestOf("c")],
    ]);
  });

  it("say where the content is", async () => {
    const written = await writtenRootfs([file("one", "1"), file("two", "22")]);
    const [one] = findInRootfs(written, "two", "image");
    if (one === undefined) throw new Error("not found");
    const { nodes } = await toCopySource(written, one);
    // A header, a block of content, a header.
    expect(nodes).toMatchObject([{ path: "", kind: "file", size: 2, content: { at: "tar", offset: 3 * 512 } }]);
  });

  it.each<[name: string, layers: SourceEntry[][], source: string, expected: string[]]>([
    ["keep hard links of each other", [[file("a", "x"), hard("b", "a")]], "", ["a file", "b hardlink a"]],
    ["keep three", [[file("d/a", "x"), hard("d/b", "d/a"), hard("d/c", "d/a")]], "d", ["a file", "b hardlink a", "c hardlink a"]],
    ["link to the first name inside the source", [[file("a", "x"), hard("d/b", "a"), hard("d/c", "a")]], "d", ["b file", "c hardlink b"]],
    ["do not link equal files", [[file("a", "x"), file("b", "x")]], "", ["a file", "b file"]],
    ["do not link a name that an upper layer replaced", [[file("a", "x"), hard("b", "a")], [file("b", "x")]], "", ["a file", "b file"]],
    ["do not link equal files at equal places of two layers", [[file("a", "x")], [file("b", "x")]], "", ["a file", "b file"]],
  ])("%s", (_name, layers, source, expected) => {
    const from = handmadeRootfs(...layers);
    const [one] = findInRootfs(from, source, "image");
    if (one === undefined) throw new Error("not found");
    const nodes = toHashable(from, one).source.nodes.filter(({ path }) => path !== "");
    expect(nodes.map((node) => `${node.path} ${node.kind}${node.kind === "hardlink" ? ` ${node.target}` : ""}`)).toEqual(expected);
  });
});
