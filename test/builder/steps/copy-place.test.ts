import { describe, expect, it } from "vitest";
import { parseChmod } from "../../../builder/dockerfile/chmod.ts";
import { type PlacedSource, type Placement, placeSources } from "../../../builder/steps/copy-place.ts";
import { type ByteString, bytesOf } from "../../../runtime-addon/index.ts";
import type { SourceEntry } from "../../../store/layer/entry.ts";
import {
  attributes,
  directoryEntry as dir,
  fileEntry as file,
  hardlinkEntry as hard,
  symlinkEntry as link,
} from "../../store/layer/samples.ts";
import { handmadeRootfs, shown, source } from "./trees.ts";

const one = (name: string, owned: object = {}) => source(name, file("", "x", owned));
const base: readonly SourceEntry[] = [
  dir("etc", { mode: 0o750, uid: 3, gid: 4, mtime: 5 }),
  file("etc/conf"),
  dir("srv", { mtime: 6 }),
  dir("srv/data", { mode: 0o700, mtime: 7 }),
  link("lnk", "srv"),
  link("abs", "/srv/data"),
  link("out", "../../../srv"),
  link("dangling", "/new/place"),
  link("loop", "loop"),
  link("etc/to-conf", "conf"),
];

type Row = [name: string, sources: PlacedSource[], target: string, expected: string[], more?: Partial<Placement>];

const ETC = "d 750 3:4 5 etc";
const SRV = "d 755 0:0 6 srv";
const DATA = "d 700 0:0 7 srv/data";

const byPath = (a: string, b: string): number => (a.replace(/^\S+ (?:.* )?/, "") < b.replace(/^\S+ (?:.* )?/, "") ? -1 : 1);

function place(sources: readonly PlacedSource[], target: string, more: Partial<Placement> = {}, parent = base): string[] {
  return shown(placeSources(sources, handmadeRootfs(parent), { target, words: sources.length, ...more }).entries);
}

describe("COPY of a file", () => {
  it.each<Row>([
    ["to a new name", [one("a")], "/b", ["f 644 0:0 1000000000 b"]],
    ["into the root", [one("a")], "/", ["f 644 0:0 1000000000 a"]],
    ["to a new directory", [one("a")], "/n/", ["d 755 0:0 1000000000 n", "f 644 0:0 1000000000 n/a"]],
    ["into a directory there is, without a slash", [one("a")], "/srv", [SRV, "f 644 0:0 1000000000 srv/a"]],
    ["into a directory there is, with a slash", [one("a")], "/srv/", [SRV, "f 644 0:0 1000000000 srv/a"]],
    [
      "under parents that are missing",
      [one("a")],
      "/x/y/z",
      ["d 755 0:0 1000000000 x", "d 755 0:0 1000000000 x/y", "f 644 0:0 1000000000 x/y/z"],
    ],
    ["under parents that are there: they stay as they are", [one("a")], "/etc/b", [ETC, "f 644 0:0 1000000000 etc/b"]],
    ["over a file", [one("a")], "/etc/conf", [ETC, "f 644 0:0 1000000000 etc/conf"]],
    ["to a symlink to a directory", [one("a")], "/lnk", [SRV, "f 644 0:0 1000000000 srv/a"]],
    ["to an absolute symlink, which starts at the root", [one("a")], "/abs/", [SRV, DATA, "f 644 0:0 1000000000 srv/data/a"]],
    ["to a symlink that would lead out of the root", [one("a")], "/out/", [SRV, "f 644 0:0 1000000000 srv/a"]],
    ["through a symlink in the middle", [one("a")], "/lnk/data/b", [SRV, DATA, "f 644 0:0 1000000000 srv/data/b"]],
    ["to a symlink to a file: the file is replaced", [one("a")], "/etc/to-conf", [ETC, "f 644 0:0 1000000000 etc/conf"]],
    ["to a symlink to nothing: that is made", [one("a")], "/dangling", ["d 755 0:0 1000000000 new", "f 644 0:0 1000000000 new/place"]],
    [
      "into a directory where a symlink has its name: the link is replaced",
      [one("to-conf")],
      "/etc/",
      [ETC, "f 644 0:0 1000000000 etc/to-conf"],
    ],
    ["with its mode, owner and time", [one("a", { mode: 0o4751, uid: 8, gid: 9, mtime: -3, mtimeNsec: 5 })], "/b", ["f 4751 8:9 -3.5 b"]],
    [
      "of which the newest dates new parents",
      [one("a", { mtime: 2, mtimeNsec: 1 }), one("b", { mtime: 2 })],
      "/n/",
      ["d 755 0:0 2.1 n", "f 644 0:0 2.1 n/a", "f 644 0:0 2 n/b"],
    ],
  ])("%s", (_name, sources, target, expected, more) => {
    expect(place(sources, target, more)).toEqual(expected);
  });

  it("keeps bytes of names that are no UTF-8", () => {
    const name = "\xff\xfe" as ByteString;
    const { entries } = placeSources([{ name, nodes: one("").nodes }], handmadeRootfs([]), { target: "/n/", words: 1 });
    expect(entries.map(({ path }) => path)).toEqual(["n", "n/\xff\xfe"]);
  });

  it("writes a target whose name is not ASCII in UTF-8", () => {
    const { entries } = placeSources([one("a")], handmadeRootfs([]), { target: "/ü", words: 1 });
    expect(entries.map(({ path }) => path)).toEqual([bytesOf("ü")]);
  });
});

describe("COPY of a directory", () => {
  const tree = source(
    "d",
    dir("", { mode: 0o711, uid: 3, gid: 4, mtime: 20 }),
    file("f"),
    dir("s", { mode: 0o700, uid: 1, mtime: 21 }),
    file("s/g"),
    link("s/l", "/etc"),
  );
  const inside = (path: string) => [
    `f 644 0:0 1000000000 ${path}f`,
    `d 700 1:0 21 ${path}s`,
    `f 644 0:0 1000000000 ${path}s/g`,
    `l 777 0:0 1000000000 ${path}s/l -> /etc`,
  ];

  it.each<Row>([
    ["takes what is in it, not the directory", [tree], "/", inside("")],
    ["makes a new directory with its time, but neither its mode nor its owner", [tree], "/n", ["d 755 0:0 20 n", ...inside("n/")]],
    ["makes a new directory, slash or not", [tree], "/n/", ["d 755 0:0 20 n", ...inside("n/")]],
    ["leaves a directory that is there as it is", [tree], "/etc", [ETC, ...inside("etc/")]],
    ["goes through symlinks of the target", [tree], "/lnk/data", [SRV, DATA, ...inside("srv/data/")]],
    [
      "gives nested directories that are there the source's attributes",
      [source("d", dir("data", { mode: 0o711, uid: 2, mtime: 8 }))],
      "/srv",
      [SRV, "d 711 2:0 8 srv/data"],
    ],
    [
      "merges two",
      [source("a", file("x")), source("b", file("y"))],
      "/n/",
      ["d 755 0:0 1000000000 n", "f 644 0:0 1000000000 n/x", "f 644 0:0 1000000000 n/y"],
    ],
    [
      "lets the last of equal names win",
      [source("a", file("x", "", { mode: 0o600 })), source("b", file("x"))],
      "/n/",
      ["d 755 0:0 1000000000 n", "f 644 0:0 1000000000 n/x"],
    ],
    ["replaces a file", [source("d", file("conf", "", { mode: 0o600 }))], "/etc", [ETC, "f 600 0:0 1000000000 etc/conf"]],
    ["replaces a symlink by a file", [source("d", file("to-conf"))], "/etc", [ETC, "f 644 0:0 1000000000 etc/to-conf"]],
    ["replaces a file by a symlink", [source("d", link("conf", "x"))], "/etc", [ETC, "l 777 0:0 1000000000 etc/conf -> x"]],
    [
      "keeps hard links inside it",
      [source("d", file("a"), hard("b", "a"))],
      "/n/m",
      ["d 755 0:0 1000000000 n", "d 755 0:0 1000000000 n/m", "f 644 0:0 1000000000 n/m/a", "h 644 0:0 1000000000 n/m/b = n/m/a"],
    ],
    [
      "that is a whole context dates a new directory by its files",
      [source("", dir("", { mtime: 99 }), file("f", "", { mtime: 10 }))],
      "/n",
      ["d 755 0:0 10 n", "f 644 0:0 10 n/f"],
    ],
    ["that is empty", [source("d", dir("", { mtime: 9 }))], "/n", ["d 755 0:0 9 n"]],
    ["that is an empty context", [source("", dir("", { mtime: 9 }))], "/n", ["d 755 0:0 315619200 n"]],
    [
      "beside a file, flattened into one directory",
      [source("d", file("x")), one("a")],
      "/n/",
      ["d 755 0:0 1000000000 n", "f 644 0:0 1000000000 n/a", "f 644 0:0 1000000000 n/x"],
    ],
  ])("%s", (_name, sources, target, expected, more) => {
    expect(place(sources, target, more)).toEqual(expected);
  });

  it("copies devices and fifos as they are", () => {
    const node = (kind: string, path: string, more: object = {}) => ({ kind, path: bytesOf(path), ...attributes, ...more }) as SourceEntry;
    const sources = [source("d", node("char", "c", { major: 1, minor: 3 }), node("block", "b", { major: 8, minor: 0 }), node("fifo", "p"))];
    expect(place(sources, "/")).toEqual(["b 644 0:0 1000000000 b", "c 644 0:0 1000000000 c", "p 644 0:0 1000000000 p"]);
  });

  it("places 30,000 files in well under a second", () => {
    const nodes = Array.from({ length: 300 }, (_, i) => [
      dir(`d${i}`),
      ...Array.from({ length: 99 }, (_, j) => file(`d${i}/f${j}`)),
    ]).flat();
    const started = performance.now();
    expect(place([source("d", ...nodes)], "/n")).toHaveLength(30_001);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe("COPY of nothing", () => {
  it("writes nothing, and makes no directory", () => {
    expect(place([], "/n/", { words: 1 })).toEqual([]);
  });
});

describe("--chown and --chmod", () => {
  const tree = source(
    "d",
    dir("", { mtime: 2 }),
    file("f", "", { mode: 0o4640, mtime: 1 }),
    link("l", "f", { mtime: 1 }),
    dir("s", { mtime: 1 }),
    hard("h", "f", { mtime: 1 }),
  );
  const owner = { uid: 7, gid: 8 };

  it.each<[name: string, more: Partial<Placement>, expected: string[]]>([
    [
      "an owner is everything's, of new parents too",
      { owner },
      [
        "d 755 7:8 2 n",
        "d 755 7:8 2 n/m",
        "f 4640 7:8 1 n/m/f",
        "h 644 7:8 1 n/m/h = n/m/f",
        "l 777 7:8 1 n/m/l -> f",
        "d 755 7:8 1 n/m/s",
      ],
    ],
    [
      "a number is the mode of files, directories and new parents, not of symlinks",
      { chmod: parseChmod("700") },
      ["d 700 0:0 2 n", "d 700 0:0 2 n/m", "f 700 0:0 1 n/m/f", "h 700 0:0 1 n/m/h = n/m/f", "l 777 0:0 1 n/m/l -> f", "d 700 0:0 1 n/m/s"],
    ],
    [
      "setuid is set behind an owner",
      { owner, chmod: parseChmod("4755") },
      [
        "d 4755 7:8 2 n",
        "d 4755 7:8 2 n/m",
        "f 4755 7:8 1 n/m/f",
        "h 4755 7:8 1 n/m/h = n/m/f",
        "l 777 7:8 1 n/m/l -> f",
        "d 4755 7:8 1 n/m/s",
      ],
    ],
    [
      "a symbolic mode changes what is there, and leaves new parents 0755",
      { chmod: parseChmod("g-rx,o=X") },
      [
        "d 755 0:0 2 n",
        "d 755 0:0 2 n/m",
        "f 4600 0:0 1 n/m/f",
        "h 600 0:0 1 n/m/h = n/m/f",
        "l 777 0:0 1 n/m/l -> f",
        "d 701 0:0 1 n/m/s",
      ],
    ],
  ])("%s", (_name, more, expected) => {
    expect(place([tree], "/n/m", more)).toEqual(expected);
  });

  it("leave parents that are there alone", () => {
    expect(place([one("a")], "/etc/b", { owner, chmod: parseChmod("600") })).toEqual([ETC, "f 600 7:8 1000000000 etc/b"]);
  });

  it("leave a target directory that is there alone", () => {
    expect(place([source("d", file("f"))], "/etc", { owner, chmod: parseChmod("600") })).toEqual([ETC, "f 600 7:8 1000000000 etc/f"]);
  });
});

describe("--parents: directories that only lead to what is taken", () => {
  const leading = (path: string, owned: object = {}) =>
    ({ ...dir(path, { mode: 0o711, uid: 2, mtime: 8, ...owned }), leads: true }) as SourceEntry;
  const tree = source("", leading("srv"), leading("srv/sub"), file("srv/sub/f", "", { mtime: 3 }));

  it.each<Row>([
    [
      "come with their attributes where there are none",
      [tree],
      "/n/",
      ["d 755 0:0 8 n", "d 711 2:0 8 n/srv", "d 711 2:0 8 n/srv/sub", "f 644 0:0 3 n/srv/sub/f"],
    ],
    ["give those that are there their mode, no more", [tree], "/", ["d 711 0:0 6 srv", "d 711 2:0 8 srv/sub", "f 644 0:0 3 srv/sub/f"]],
    [
      "have the owner and the mode that the flags give",
      [tree],
      "/",
      ["d 711 0:0 6 srv", "d 700 7:8 8 srv/sub", "f 700 7:8 3 srv/sub/f"],
      { owner: { uid: 7, gid: 8 }, chmod: parseChmod("700") },
    ],
    [
      "of a later source leave what an earlier one made as it is, but for the mode",
      [source("", dir("d", { mode: 0o700, uid: 5, mtime: 4 })), source("", leading("d"), file("d/f", "", { mtime: 3 }))],
      "/n/",
      ["d 755 0:0 4 n", "d 711 5:0 4 n/d", "f 644 0:0 3 n/d/f"],
    ],
    ["make the target's directory even where nothing is taken", [source("")], "/n/", ["d 755 0:0 315619200 n"]],
  ])("%s", (_name, sources, target, expected, more) => {
    expect(place(sources, target, more)).toEqual(expected);
  });

  it("cannot stand where a file is", () => {
    expect(() => place([source("", leading("conf"), file("conf/f"))], "/etc")).toThrow(
      expect.objectContaining({ code: "COPY_TO_NON_DIRECTORY" }),
    );
  });
});

describe("an archive is unpacked", () => {
  const archive = (...nodes: SourceEntry[]): PlacedSource => ({ ...source("x.tar", ...nodes), unpacked: true });

  it.each<Row>([
    ["into a directory that is made", [archive(file("f", "", { mtime: 3 }))], "/n", ["d 755 0:0 3 n", "f 644 0:0 3 n/f"]],
    ["into a directory there is", [archive(file("f"))], "/etc", [ETC, "f 644 0:0 1000000000 etc/f"]],
    ["with its own owners and modes", [archive(file("f", "", { mode: 0o4711, uid: 5, gid: 6 }))], "/", ["f 4711 5:6 1000000000 f"]],
    [
      "with the owner of --chown and its own modes",
      [archive(dir("d", { mode: 0o700 }), file("d/f"))],
      "/n",
      ["d 755 7:8 1000000000 n", "d 700 7:8 1000000000 n/d", "f 644 7:8 1000000000 n/d/f"],
      { owner: { uid: 7, gid: 8 }, chmod: parseChmod("600") },
    ],
    [
      "with directories that it does not name",
      [archive(file("a/b/f"))],
      "/",
      ["d 755 0:0 1000000000 a", "d 755 0:0 1000000000 a/b", "f 644 0:0 1000000000 a/b/f"],
    ],
    ["below directories that are there", [archive(file("srv/data/f"))], "/", [SRV, DATA, "f 644 0:0 1000000000 srv/data/f"]],
    [
      "over a file where it has a directory",
      [archive(dir("etc"), dir("etc/conf"), file("etc/conf/f"))],
      "/",
      ["d 755 0:0 1000000000 etc", "d 755 0:0 1000000000 etc/conf", "f 644 0:0 1000000000 etc/conf/f"],
    ],
    ["over a directory where it has a file", [archive(file("srv"))], "/", ["f 644 0:0 1000000000 srv"]],
    [
      "over a symlink where it has a directory",
      [archive(dir("lnk"), file("lnk/f"))],
      "/",
      ["d 755 0:0 1000000000 lnk", "f 644 0:0 1000000000 lnk/f"],
    ],
    ["through a symlink where it names no directory", [archive(file("lnk/f"))], "/", [SRV, "f 644 0:0 1000000000 srv/f"]],
    [
      "through a symlink to directories that are not there",
      [archive(file("lnk/p/q"))],
      "/",
      [SRV, "d 755 0:0 1000000000 srv/p", "f 644 0:0 1000000000 srv/p/q"],
    ],
    ["over what another put there", [archive(dir("a"), file("a/f")), archive(file("a"))], "/", ["f 644 0:0 1000000000 a"]],
    [
      "with its hard links",
      [archive(file("a"), hard("b", "a"))],
      "/n",
      ["d 755 0:0 1000000000 n", "f 644 0:0 1000000000 n/a", "h 644 0:0 1000000000 n/b = n/a"],
    ],
    [
      "beside a file that is none",
      [archive(file("f")), one("plain")],
      "/n/",
      ["d 755 0:0 1000000000 n", "f 644 0:0 1000000000 n/f", "f 644 0:0 1000000000 n/plain"],
    ],
  ])("%s", (_name, sources, target, expected, more) => {
    expect(place(sources, target, more)).toEqual(expected);
  });

  it.each<[what: string, parent: SourceEntry[], nodes: SourceEntry[], expected: string[]]>([
    [
      "an absolute one",
      [dir("t"), link("t/l", "/d"), dir("d")],
      [file("l/f")],
      ["d 755 0:0 1000000000 t", "d 755 0:0 1000000000 t/d", "f 644 0:0 1000000000 t/d/f"],
    ],
    [
      "one that climbs",
      [dir("t"), dir("t/s"), link("t/s/l", "../../../d"), dir("d")],
      [file("s/l/f")],
      ["d 755 0:0 1000000000 t", "d 755 0:0 1000000000 t/d", "f 644 0:0 1000000000 t/d/f"],
    ],
    [
      "one that leads to a symlink of the archive",
      [dir("t"), link("t/l", "m")],
      [link("m", "/n"), file("l/f")],
      ["d 755 0:0 1000000000 t", "l 777 0:0 1000000000 t/m -> /n", "d 755 0:0 1000000000 t/n", "f 644 0:0 1000000000 t/n/f"],
    ],
    [
      "a symlink of the archive that goes through one of the image, and up from there",
      [dir("t"), dir("t/a"), dir("t/a/b"), link("t/l", "a/b")],
      [link("m", "l/../c"), file("m/f")],
      [
        "d 755 0:0 1000000000 t",
        "d 755 0:0 1000000000 t/a",
        "d 755 0:0 1000000000 t/a/c",
        "f 644 0:0 1000000000 t/a/c/f",
        "l 777 0:0 1000000000 t/m -> l/../c",
      ],
    ],
    [
      "not one that the archive replaced by a directory",
      [dir("t"), link("t/l", "/d")],
      [file("l/f"), dir("l"), file("l/g")],
      [
        "d 755 0:0 1000000000 t",
        "d 755 0:0 1000000000 t/d",
        "f 644 0:0 1000000000 t/d/f",
        "d 755 0:0 1000000000 t/l",
        "f 644 0:0 1000000000 t/l/g",
      ],
    ],
  ])("counts symlinks on the way from the target: %s", (_what, parent, nodes, expected) => {
    const written = place([archive(...nodes)], "/t/", {}, parent);
    expect(written.filter((line) => !/ t\/(?:s|a\/b)$/.test(line))).toEqual(expected);
  });

  it("makes the directories that it only implies root's, whoever gets the rest", () => {
    expect(place([archive(file("a/b/f"))], "/n/m", { owner: { uid: 7, gid: 8 } })).toEqual([
      "d 755 7:8 1000000000 n",
      "d 755 7:8 1000000000 n/m",
      "d 755 0:0 1000000000 n/m/a",
      "d 755 0:0 1000000000 n/m/a/b",
      "f 644 7:8 1000000000 n/m/a/b/f",
    ]);
  });

  it.each<Row>([
    [
      "of the image",
      [archive(file("srv"), dir("srv"), file("srv/f"))],
      "/",
      ["d 755 0:0 1000000000 srv", "opaque srv", "f 644 0:0 1000000000 srv/f"],
    ],
    [
      "of the image, by two archives",
      [archive(file("srv")), archive(dir("srv"), file("srv/f"))],
      "/",
      ["d 755 0:0 1000000000 srv", "opaque srv", "f 644 0:0 1000000000 srv/f"],
    ],
    [
      "of the image and of another archive",
      [archive(file("srv/data/old")), archive(link("srv", "x"), dir("srv"), dir("srv/data"))],
      "/",
      ["d 755 0:0 1000000000 srv", "opaque srv", "d 755 0:0 1000000000 srv/data"],
    ],
    ["that another archive only implied", [archive(file("n/a/f")), archive(file("n"))], "/", ["f 644 0:0 1000000000 n"]],
  ])("a directory that it replaced comes back empty: %s", (_what, sources, target, expected) => {
    const written = place(sources, target);
    expect(written.sort(byPath)).toEqual([...expected].sort(byPath));
  });

  it.each<Row>([
    [
      "when the archive replaces the first name",
      [archive(file("a", "", { mode: 0o600 }), hard("b", "a"), hard("c", "a"), file("a"))],
      "/",
      ["f 644 0:0 1000000000 a", "f 600 0:0 1000000000 b", "h 600 0:0 1000000000 c = b"],
    ],
    [
      "when another archive replaces the first name",
      [archive(file("a", "", { mode: 0o600 }), hard("b", "a"), hard("c", "a")), archive(link("a", "x"))],
      "/",
      ["l 777 0:0 1000000000 a -> x", "f 600 0:0 1000000000 b", "h 600 0:0 1000000000 c = b"],
    ],
    [
      "when another source of a COPY replaces the first name",
      [source("d", file("a", "", { mode: 0o600 }), hard("b", "a")), source("e", file("a"))],
      "/n/",
      ["d 755 0:0 1000000000 n", "f 644 0:0 1000000000 n/a", "f 600 0:0 1000000000 n/b"],
    ],
    [
      "when another archive puts a file in the place of its directory",
      [archive(file("d/a", "", { mode: 0o600 }), hard("b", "d/a")), archive(file("d"))],
      "/",
      ["f 600 0:0 1000000000 b", "f 644 0:0 1000000000 d"],
    ],
  ])("a hard link keeps the content that it was made of: %s", (_what, sources, target, expected) => {
    expect(place(sources, target)).toEqual(expected);
  });

  it("gives a file of the image another name: it is written under both", () => {
    const { entries, lent } = placeSources([archive(hard("n", "conf"))], handmadeRootfs(base), { target: "/etc", words: 1 });
    expect(shown(entries)).toEqual([ETC, "h 644 0:0 1000000000 etc/n = etc/conf"]);
    expect(lent).toEqual([expect.objectContaining({ path: "etc/conf", lent: expect.objectContaining({ path: "etc/conf" }) })]);
  });
});

describe("COPY fails:", () => {
  const noDirectory = (path: string) => ({ code: "COPY_TO_NON_DIRECTORY", message: `copying to "${path}": cannot copy to non-directory` });

  it.each<[name: string, sources: PlacedSource[], target: string, expected: { code: string; message: string }]>([
    ["a directory onto a file", [source("d", file("f"))], "/etc/conf", noDirectory("/etc/conf")],
    ["a directory onto a file in the tree", [source("d", dir("conf"))], "/etc", noDirectory("/etc/conf")],
    ["a directory onto a symlink in the tree, though that leads to a directory", [source("d", dir("lnk"))], "/", noDirectory("/lnk")],
    ["a file into a file with a slash", [one("a")], "/etc/conf/", noDirectory("/etc/conf")],
    ["a file below a file", [one("a")], "/etc/conf/x", noDirectory("/etc/conf")],
    ["a directory below a file", [source("d", file("f"))], "/etc/conf/x", noDirectory("/etc/conf")],
    ["an archive onto a file", [{ ...source("a", file("f")), unpacked: true }], "/etc/conf", noDirectory("/etc/conf")],
    [
      "a file over a directory",
      [one("data")],
      "/srv/",
      { code: "COPY_OVER_DIRECTORY", message: 'copying to "/srv/data": a file cannot replace a directory' },
    ],
    [
      "a file over a directory in the tree",
      [source("d", file("data"))],
      "/srv",
      { code: "COPY_OVER_DIRECTORY", message: 'copying to "/srv/data": a file cannot replace a directory' },
    ],
    [
      "a symlink over a directory in the tree",
      [source("d", link("data", "x"))],
      "/srv",
      { code: "COPY_OVER_DIRECTORY", message: 'copying to "/srv/data": a file cannot replace a directory' },
    ],
    [
      "two files to one name",
      [one("a"), one("b")],
      "/n",
      { code: "COPY_TARGET_NOT_DIRECTORY", message: 'copying several sources to "/n": it is not a directory' },
    ],
    [
      "two files to one file",
      [one("a"), one("b")],
      "/etc/conf",
      { code: "COPY_TARGET_NOT_DIRECTORY", message: 'copying several sources to "/etc/conf": it is not a directory' },
    ],
    ["a directory of one source over a file of another", [one("x"), source("d", dir("x"))], "/n/", noDirectory("/n/x")],
    ["a target that leads in a circle", [one("a")], "/loop", { code: "SYMLINK_LOOP", message: 'resolving "/loop": too many symlinks' }],
  ])("%s", (_name, sources, target, expected) => {
    expect(() => place(sources, target)).toThrow(expect.objectContaining(expected));
  });

  it("several files that one wildcard found, to one name", () => {
    expect(() => place([one("a"), one("b")], "/n", { words: 1 })).toThrow(expect.objectContaining({ code: "COPY_TARGET_NOT_DIRECTORY" }));
  });

  it("one file of a wildcard and a word that found nothing, to one name", () => {
    expect(() => place([one("a")], "/n", { words: 2 })).toThrow(expect.objectContaining({ code: "COPY_TARGET_NOT_DIRECTORY" }));
  });
});

describe("what was placed", () => {
  it("is known by path, for the digests of what was read", () => {
    const tree = source("d", file("f"));
    const { placed } = placeSources([tree], handmadeRootfs(base), { target: "/srv/n", words: 1 });
    expect([...placed]).toEqual([["srv/n/f", tree.nodes[1]]]);
  });
});
