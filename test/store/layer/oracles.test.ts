import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { extract as tarStreamExtract } from "tar-stream";
import { beforeAll, describe, expect, it } from "vitest";
import { textOf } from "../../../runtime-addon/index.ts";
import { applyLayer } from "../../../store/layer/apply.ts";
import { diffUpper } from "../../../store/layer/diff.ts";
import { stackRootfs } from "../../../store/layer/rootfs.ts";
import { readLayer } from "../../../store/layer/tar-read.ts";
import { writeLayer } from "../../../store/layer/tar-write.ts";
import type { Tree } from "../../../store/layer/tree.ts";
import { needs } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { char, dir, fifo, file, link, listing, makeTree, symlink, type Wanted } from "../../support/tree.ts";

// Our archives as other programs read them, and theirs as we do.

const temp = temporaryDirectory("oracles");

const ustarTree: Record<string, Wanted> = {
  "bin/tool": file("#!/bin/sh\n", { mode: 0o4755, uid: 1000, gid: 50 }),
  sticky: dir({ mode: 0o1777, mtime: 5 }),
  big: file(Buffer.alloc(1_000_003, "0123456")),
  empty: file(),
  "links/b": file("shared"),
  "links/a": link("links/b"),
  "links/c": link("links/b"),
  relative: symlink("bin/tool"),
  absolute: symlink("/etc/passwd"),
  null: char(1, 3, { mode: 0o666 }),
  pipe: fifo({ mode: 0o600 }),
  "a-b": file("x"),
  "a/b": file("x"),
  "with space": file("x"),
  [`${"p".repeat(60)}/${"q".repeat(60)}`]: file("prefix"),
};
const paxTree: Record<string, Wanted> = {
  ...ustarTree,
  ids: file("x", { uid: 3_000_000, gid: 4_000_000_000 }),
  fraction: file("x", { mtime: 1_700_000_000.123456 }),
  [`${"n".repeat(150)}`]: file("long"),
  [`${"deep/".repeat(80)}x`]: file("deep"),
  "long-target": symlink(`${"t/".repeat(120)}x`),
  "ä/日本": file("utf-8"),
  "to-ä": symlink("ä/日本"),
  "ö-fraction": file("x", { mtime: 1.25, xattrs: { "user.a": "ä" } }),
  negative: file("x", { mtime: -2 }),
  xattr: file("x", { xattrs: { "user.text": "value", "user.binary": "\x00\xff\n=\x80" } }),
};

let made = 0;
async function treeIn(wanted: Record<string, Wanted>): Promise<string> {
  const root = join(temp, `tree-${made++}`);
  mkdirSync(root);
  await makeTree(root, wanted);
  return root;
}

async function layerOf(root: string): Promise<{ readonly tar: string; readonly tree: Tree }> {
  const tar = `${root}.tar`;
  const { entries } = await diffUpper(root, stackRootfs([]), { owners: "exact" });
  return { tar, tree: await writeLayer(entries, tar, { sync: false, ignoreMtime: () => false }) };
}

describe("our archives", needs("root", "attr", "bsdtar", "python"), () => {
  let source: string;
  let tar: string;
  let tree: Tree;
  beforeAll(async () => {
    source = await treeIn(paxTree);
    ({ tar, tree } = await layerOf(source));
  });
  const target = (): string => {
    const path = join(temp, `target-${made++}`);
    mkdirSync(path);
    return path;
  };

  it("are unpacked by GNU tar to the same tree", () => {
    const to = target();
    const result = spawnSync("tar", ["--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf", tar, "-C", to], { encoding: "utf8" });
    expect(result.stderr.replace(/^tar: negative: implausibly old time stamp .*\n$/, "")).toBe("");
    expect(result.status).toBe(0);
    expect(listing(to)).toEqual(listing(source));
  });

  it.each(["C", "C.UTF-8"])("are unpacked by bsdtar to the same tree, without a warning, in the locale %s", (locale) => {
    const to = target();
    const result = spawnSync("bsdtar", ["--numeric-owner", "-xpf", tar, "-C", to], {
      encoding: "utf8",
      env: { ...process.env, LC_ALL: locale },
    });
    expect({ stderr: result.stderr, status: result.status }).toEqual({ stderr: "", status: 0 });
    expect(listing(to)).toEqual(listing(source));
  });

  it("are listed by GNU tar with the names, types, modes, owners and sizes that the tree has", () => {
    const lines = execFileSync("tar", ["--numeric-owner", "--quoting-style=literal", "-tvf", tar], {
      env: { ...process.env, TZ: "UTC", LC_ALL: "C.UTF-8" },
      encoding: "utf8",
    });
    const letters: Record<string, string> = { file: "-", directory: "d", symlink: "l", hardlink: "h", char: "c", fifo: "p" };
    const seen = lines
      .trimEnd()
      .split("\n")
      .map((line) => {
        const [, letter, owner, rest] = /^(.)\S+ (\S+)\s+\S+ \S+ \S+ (.*)$/.exec(line) ?? [];
        return `${letter} ${owner} ${rest?.replace(/ (->|link to) .*$/, "").replace(/\/$/, "")}`;
      });
    const expected = tree.entries.map((entry) => {
      if (entry.kind === "whiteout" || entry.kind === "opaque") throw new Error("a removal");
      return `${letters[entry.kind]} ${entry.uid}/${entry.gid} ${textOf(entry.path)}`;
    });
    expect(seen).toEqual(expected);
  });

  it("are read by python's tarfile to the same members", () => {
    const script = `
import sys, tarfile, json
for m in tarfile.open(sys.argv[1], encoding="utf-8", errorlevel=2):
    print(json.dumps([m.name, m.type.decode(), m.mode, m.uid, m.gid, m.size, m.mtime, m.linkname, m.uname, m.gname, m.offset_data]))
`;
    const members = execFileSync("python3", ["-c", script, tar], { encoding: "utf8" })
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const types: Record<string, string> = { file: "0", hardlink: "1", symlink: "2", char: "3", directory: "5", fifo: "6" };
    expect(members.length).toBe(tree.entries.length);
    tree.entries.forEach((entry, i) => {
      if (entry.kind === "whiteout" || entry.kind === "opaque") throw new Error("a removal");
      const size = entry.kind === "file" ? entry.size : 0;
      const target = "target" in entry ? textOf(entry.target) : "";
      const [name, type, mode, uid, gid, bytes, mtime, linkName, uname, gname, offset] = members[i];
      expect([name, type, mode, uid, gid, bytes, linkName, uname, gname]).toEqual([
        textOf(entry.path),
        types[entry.kind],
        entry.mode,
        entry.uid,
        entry.gid,
        size,
        target,
        "",
        "",
      ]);
      expect(mtime).toBeCloseTo(entry.mtime + entry.mtimeNsec / 1e9, 5);
      if (entry.kind === "file") expect(offset).toBe(entry.offset);
    });
  });

  it("are read by tar-stream to the same names and contents", async () => {
    const seen: [string, string][] = [];
    const extract = tarStreamExtract();
    createReadStream(tar).pipe(extract);
    for await (const entry of extract) {
      const hash = createHash("sha256");
      for await (const chunk of entry) hash.update(chunk as Uint8Array);
      if (entry.header.type === "file") seen.push([entry.header.name, `sha256:${hash.digest("hex")}`]);
    }
    expect(seen).toEqual(tree.entries.flatMap((entry) => (entry.kind === "file" ? [[textOf(entry.path), entry.digest]] : [])));
  });

  it("of names that are not UTF-8 are read back by all of them as the same bytes", async () => {
    const name = Buffer.from("latin-\xe4-\xff", "latin1");
    const root = await treeIn({});
    writeFileSync(Buffer.concat([Buffer.from(`${root}/`), name]), "x");
    const layer = await layerOf(root);
    for (const [command, ...args] of [
      ["tar", "-xpf"],
      ["bsdtar", "-xpf"],
      ["python3", "-m", "tarfile", "-e"],
    ] as const) {
      const to = target();
      execFileSync(command, command === "python3" ? [...args, layer.tar, to] : [...args, layer.tar, "-C", to], {
        stdio: ["ignore", "ignore", "ignore"],
        env: { ...process.env, LC_ALL: "C" },
      });
      expect(listing(to, { times: false })).toEqual(listing(root, { times: false }));
    }
  });

  it("are unpacked by umoci to the same tree, in an image that skopeo reads", needs("umoci", "skopeo"), () => {
    const image = join(temp, "image");
    const bundle = join(temp, "bundle");
    const bytes = readFileSync(tar);
    const put = (content: Buffer | string): { digest: string; size: number } => {
      const digest = createHash("sha256").update(content).digest("hex");
      writeFileSync(join(image, "blobs/sha256", digest), content);
      return { digest: `sha256:${digest}`, size: Buffer.byteLength(content) };
    };
    mkdirSync(join(image, "blobs/sha256"), { recursive: true });
    writeFileSync(join(image, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
    const config = { architecture: "amd64", os: "linux", config: {}, rootfs: { type: "layers", diff_ids: [tree.diffId] } };
    const type = "application/vnd.oci.image";
    const manifest = {
      schemaVersion: 2,
      config: { mediaType: `${type}.config.v1+json`, ...put(JSON.stringify(config)) },
      layers: [{ mediaType: `${type}.layer.v1.tar`, ...put(bytes) }],
    };
    const descriptor = {
      mediaType: `${type}.manifest.v1+json`,
      ...put(JSON.stringify(manifest)),
      annotations: { "org.opencontainers.image.ref.name": "x" },
    };
    writeFileSync(join(image, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [descriptor] }));
    expect(JSON.parse(execFileSync("skopeo", ["inspect", `oci:${image}:x`], { encoding: "utf8" })).Layers).toEqual([tree.diffId]);
    execFileSync("umoci", ["unpack", "--image", `${image}:x`, bundle], { stdio: "ignore" });
    expect(listing(join(bundle, "rootfs"))).toEqual(listing(source));
  });
});

describe("archives of others", needs("root", "attr", "bsdtar", "python"), () => {
  // The old formats have whole seconds and no attributes; python's times are floating point numbers.
  const gnuTree = { ...paxTree, xattr: file("x"), fraction: file("x"), "ö-fraction": file("x"), negative: file("x", { mtime: 0 }) };
  const writers: [string, Record<string, Wanted>, { times: boolean }, (root: string, tar: string) => void][] = [
    ["GNU tar, gnu format", gnuTree, { times: true }, (root, tar) => gnu(root, tar, "--format=gnu")],
    ["GNU tar, pax format", paxTree, { times: true }, (root, tar) => gnu(root, tar, "--format=pax", "--xattrs", "--xattrs-include=user.*")],
    ["GNU tar, ustar format", ustarTree, { times: true }, (root, tar) => gnu(root, tar, "--format=ustar")],
    [
      "GNU tar, v7 format",
      Object.fromEntries(Object.entries(ustarTree).filter(([name]) => name.length < 90 && name !== "null" && name !== "pipe")),
      { times: true },
      (root, tar) => gnu(root, tar, "--format=v7"),
    ],
    [
      "bsdtar, pax format",
      paxTree,
      { times: true },
      (root, tar) =>
        execFileSync("bsdtar", ["--format=pax", "--xattrs", "-cf", tar, "-C", root, "."], { env: { ...process.env, LC_ALL: "C.UTF-8" } }),
    ],
    [
      "bsdtar, ustar format",
      ustarTree,
      { times: true },
      (root, tar) => execFileSync("bsdtar", ["--format=ustar", "-cf", tar, "-C", root, "."]),
    ],
    [
      "bsdtar, gnutar format",
      gnuTree,
      { times: true },
      (root, tar) =>
        execFileSync("bsdtar", ["--format=gnutar", "-cf", tar, "-C", root, "."], { env: { ...process.env, LC_ALL: "C.UTF-8" } }),
    ],
    ["python tarfile, pax format", gnuTree, { times: false }, (root, tar) => python(root, tar, "PAX")],
    ["python tarfile, gnu format", gnuTree, { times: false }, (root, tar) => python(root, tar, "GNU")],
  ];
  function gnu(root: string, tar: string, ...args: string[]): void {
    execFileSync("tar", [...args, "--numeric-owner", "-cf", tar, "-C", root, "."], { stdio: "inherit" });
  }
  function python(root: string, tar: string, format: string): void {
    const script = `import sys, tarfile\nwith tarfile.open(sys.argv[1], "w", format=tarfile.${format}_FORMAT, encoding="utf-8") as t: t.add(sys.argv[2], arcname=".")`;
    execFileSync("python3", ["-c", script, tar, root], { env: { ...process.env, LC_ALL: "C.UTF-8" } });
  }

  it.each(writers)("%s", async (_name, wanted, options, write) => {
    const root = await treeIn(wanted);
    const tar = `${root}.foreign.tar`;
    write(root, tar);
    const { tree } = await readLayer(createReadStream(tar));
    expect(tree.diffId).toBe(`sha256:${execFileSync("sha256sum", [tar]).toString().slice(0, 64)}`);
    const to = join(temp, `applied-${made++}`);
    await applyLayer(tree, tar, to, { owners: "exact" });
    expect(listing(to, options)).toEqual(listing(root, options));
  });
});
