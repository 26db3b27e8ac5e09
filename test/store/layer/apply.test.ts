import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { describe, expect, it } from "vitest";
import { type ByteString, bytesOf } from "../../../runtime-addon/index.ts";
import { applyLayer } from "../../../store/layer/apply.ts";
import type { SourceEntry, TreeEntry } from "../../../store/layer/entry.ts";
import { stackRootfs } from "../../../store/layer/rootfs.ts";
import { readLayer } from "../../../store/layer/tar-read.ts";
import { writeLayer } from "../../../store/layer/tar-write.ts";
import type { Tree } from "../../../store/layer/tree.ts";
import { needs } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { listing } from "../../support/tree.ts";
import { treeBytes } from "../../support/tree-bytes.ts";
import { aclOf, attributes, chunked, directoryEntry, fileEntry, opaque, pax, raw, symlinkEntry, whiteout } from "./samples.ts";

const temp = temporaryDirectory("apply");
let count = 0;
const fresh = (): string => join(temp, String(count++));

async function written(entries: readonly SourceEntry[]): Promise<{ tree: Tree; tar: string }> {
  const tar = `${fresh()}.tar`;
  return { tree: await writeLayer(entries, tar, { sync: false, ignoreMtime: () => false }), tar };
}

async function foreign(...parts: Buffer[]): Promise<{ tree: Tree; tar: string }> {
  const tar = `${fresh()}.tar`;
  writeFileSync(tar, Buffer.concat(parts));
  return { tree: (await readLayer(chunked(readFileSync(tar)))).tree, tar };
}

const xattrsOf = (file: string): string =>
  execFileSync("getfattr", ["-h", "-d", "-m", "-", "--absolute-names", file], { encoding: "utf8" });

describe("unpacking a layer", needs("root", "attr"), () => {
  it("spells removals as overlay does", async () => {
    const { tree, tar } = await written([directoryEntry("d"), opaque("d"), whiteout("gone"), whiteout("e/gone"), directoryEntry("e")]);
    const target = fresh();
    await applyLayer(tree, tar, target, { owners: "exact" });
    expect(listing(target)).toEqual([
      "d d 755 0:0 1000000000.000000000  user.overlay.opaque=0x79",
      "e d 755 0:0 1000000000.000000000",
      "e/gone removed",
      "gone removed",
    ]);
  });

  it("makes directories that are only implied as the lower ones are, the root too", async () => {
    const lower = await written([
      directoryEntry("", { mode: 0o711, uid: 3 }),
      directoryEntry("a", { mode: 0o700, uid: 4, gid: 5, mtime: 7 }),
    ]);
    const { tree, tar } = await written([fileEntry("a/b/c"), opaque("a/o")]);
    const target = fresh();
    await applyLayer(tree, tar, target, { owners: "exact", lower: stackRootfs([{ tree: lower.tree, tar: async () => lower.tar }]) });
    expect(listing(target)).toEqual([
      "a d 700 4:5 7.000000000",
      "a/b d 755 0:0 315619200.000000000",
      "a/b/c f 644 0:0 0 1000000000.000000000  e3b0c44298fc1c14",
      "a/o d 755 0:0 315619200.000000000  user.overlay.opaque=0x79",
    ]);
    expect([statSync(target).mode & 0o7777, statSync(target).uid, statSync(target).mtimeMs]).toEqual([0o711, 3, 1_000_000_000_000]);
  });

  it("without a lower gives them 0755, root and the time of what has none", async () => {
    const { tree, tar } = await written([fileEntry("a/b")]);
    const target = fresh();
    await applyLayer(tree, tar, target, { owners: "exact" });
    expect([statSync(target).mode & 0o7777, statSync(target).mtimeMs]).toEqual([0o755, Date.UTC(1980, 0, 2)]);
    expect(listing(target)[0]).toBe("a d 755 0:0 315619200.000000000");
  });

  it("leaves owners alone where they are flat", async () => {
    const { tree, tar } = await written([fileEntry("a", "", { uid: 1234, gid: 4321, mode: 0o4755 })]);
    const target = fresh();
    await applyLayer(tree, tar, target, { owners: "flat" });
    expect(listing(target)).toEqual(["a f 4755 0:0 0 1000000000.000000000  e3b0c44298fc1c14"]);
  });

  it("leaves out ACLs that name others than root where owners are flat, as one id cannot have them", async () => {
    const acl = (uid: number) => aclOf([1, 6], [2, 7, uid], [4, 4], [0x10, 7], [0x20, 4]);
    const { tree, tar } = await written([
      directoryEntry("d", { xattrs: { "system.posix_acl_default": acl(1000), "user.note": "n" as ByteString } }),
      fileEntry("others", "", { mode: 0o674, xattrs: { "system.posix_acl_access": acl(1000) } }),
      fileEntry("roots", "", { mode: 0o674, xattrs: { "system.posix_acl_access": acl(0) } }),
    ]);
    const names = async (owners: "exact" | "flat") => {
      const target = fresh();
      await applyLayer(tree, tar, target, { owners });
      expect(statSync(join(target, "others")).mode & 0o777).toBe(0o674);
      return ["d", "others", "roots"].map((name) => xattrsOf(join(target, name)).match(/^[a-z_.]+(?==)/gm) ?? []);
    };
    expect(await names("exact")).toEqual([
      ["system.posix_acl_default", "user.note"],
      ["system.posix_acl_access"],
      ["system.posix_acl_access"],
    ]);
    expect(await names("flat")).toEqual([["user.note"], [], ["system.posix_acl_access"]]);
  });

  it("copies the files that hard links have in lower layers, once", async () => {
    const lower = await written([fileEntry("x/shared", "abc", { mode: 0o4755, uid: 9 })]);
    const links = ["a", "d/b", "d/c"].map(
      (path): TreeEntry => ({ kind: "hardlink", path: bytesOf(path), target: bytesOf("x/shared"), ...attributes }),
    );
    const { tree, tar } = await written([directoryEntry("d", { mode: 0o500 })]);
    const target = fresh();
    const linked = { ...tree, entries: [...tree.entries, ...links] };
    await applyLayer(linked, tar, target, { owners: "exact", lower: stackRootfs([{ tree: lower.tree, tar: async () => lower.tar }]) });
    const shared = "f 4755 9:0 3 1000000000.000000000 = a  ba7816bf8f01cfea";
    expect(listing(target)).toEqual([`a ${shared}`, "d d 500 0:0 1000000000.000000000", `d/b ${shared}`, `d/c ${shared}`]);
    const nowhere = fresh();
    await expect(applyLayer(linked, tar, nowhere, { owners: "exact" })).rejects.toMatchObject({
      code: "UNSUPPORTED_HARDLINK",
      message: 'unpacking a layer: "a" is a hard link to "x/shared", which no layer has as a file',
    });
  });

  it("does not touch a target that exists, and leaves nothing", async () => {
    const { tree, tar } = await written([fileEntry("a")]);
    const target = fresh();
    mkdirSync(target);
    const before = readdirSync(temp);
    await expect(applyLayer(tree, tar, target, { owners: "exact" })).rejects.toMatchObject({ code: "EEXIST" });
    expect(readdirSync(target)).toEqual([]);
    expect(readdirSync(temp)).toEqual(before);
  });

  it("of which the tar is cut short fails, and leaves nothing", async () => {
    const { tree, tar } = await written([fileEntry("a", "x".repeat(5000))]);
    writeFileSync(tar, readFileSync(tar).subarray(0, 2000));
    const before = readdirSync(temp);
    await expect(applyLayer(tree, tar, fresh(), { owners: "exact" })).rejects.toThrow(/./);
    expect(readdirSync(temp)).toEqual(before);
  });

  it("leaves out devices where they may not be made, and says which", needs("userNamespaces"), async () => {
    const entries: SourceEntry[] = [
      { kind: "char", path: bytesOf("null"), ...attributes, major: 1, minor: 3 },
      fileEntry("a"),
      { kind: "block", path: bytesOf("z"), ...attributes, major: 8, minor: 0 },
      whiteout("gone"),
    ];
    const { tree, tar } = await written(entries);
    expect((await applyLayer(tree, tar, fresh(), { owners: "exact" })).omitted).toEqual([]);
    // In a user namespace of its own, which has no right to devices.
    const bundle = join(fresh(), "main.mjs");
    const root = join(import.meta.dirname, "../../..");
    const script = `
      import { readFileSync } from "node:fs";
      import { applyLayer } from "./store/layer/apply.ts";
      import { decodeTree } from "./store/layer/tree.ts";
      const [tree, tar, target] = process.argv.slice(2);
      console.log(JSON.stringify(await applyLayer(decodeTree(readFileSync(tree)), tar, target, { owners: "flat" })));
    `;
    buildSync({ stdin: { contents: script, resolveDir: root }, outfile: bundle, bundle: true, format: "esm", platform: "node" });
    symlinkSync(join(root, "runtime-addon/build"), join(bundle, "../build"));
    writeFileSync(`${tar}.tree`, treeBytes(tree));
    const target = fresh();
    const args = ["--user", "--map-root-user", process.execPath, bundle, `${tar}.tree`, tar, target];
    expect(execFileSync("unshare", args, { encoding: "utf8" })).toBe('{"omitted":["null","z"]}\n');
    expect(listing(target)).toEqual(["a f 644 0:0 0 1000000000.000000000  e3b0c44298fc1c14", "gone removed"]);
  });
});

describe("attacks", needs("root", "attr"), () => {
  const secret = (): { path: string; check: () => void } => {
    const path = fresh();
    mkdirSync(path);
    writeFileSync(join(path, "host"), "precious", { mode: 0o600 });
    const before = listing(path);
    return { path, check: () => expect(listing(path), "A HOST FILE WAS CHANGED: a layer escaped its directory").toEqual(before) };
  };

  it("a file through a symlink to the host lands in the layer", async () => {
    const host = secret();
    const { tree, tar } = await foreign(
      pax({ linkpath: host.path }),
      raw({ name: "l", type: "2" }),
      raw({ name: "l/host" }, "overwritten"),
    );
    const target = fresh();
    await applyLayer(tree, tar, target, { owners: "exact" });
    host.check();
    expect(readFileSync(join(target, host.path, "host"), "utf8")).toBe("overwritten");
  });

  it("a tree that lies about its own symlinks cannot write through them", async () => {
    const host = secret();
    const { tree, tar } = await written([fileEntry("x", "overwritten")]);
    const [file] = tree.entries;
    if (file?.kind !== "file") throw new Error("no file");
    const link: TreeEntry = { kind: "symlink", path: bytesOf("l"), ...attributes, target: bytesOf(host.path) };
    for (const entry of [
      { ...file, path: bytesOf("l/host") },
      { ...file, path: bytesOf("l/new") },
      directoryEntry("l/host"),
    ] as TreeEntry[]) {
      await expect(applyLayer({ ...tree, entries: [link, entry] }, tar, fresh(), { owners: "exact" })).rejects.toThrow(/./);
    }
    const hardlink: TreeEntry = { kind: "hardlink", path: bytesOf("h"), target: bytesOf("l/host"), ...attributes };
    await expect(applyLayer({ ...tree, entries: [link, hardlink] }, tar, fresh(), { owners: "exact" })).rejects.toMatchObject({
      code: "UNSUPPORTED_HARDLINK",
    });
    host.check();
  });

  it("attributes of a symlink to the host do not reach the host", async () => {
    const host = secret();
    const { tree, tar } = await written([symlinkEntry("l", join(host.path, "host"), { mode: 0o777, uid: 99, gid: 99, mtime: 1 })]);
    await applyLayer(tree, tar, fresh(), { owners: "exact" });
    host.check();
  });

  it("overlay's marks in an archive are not set", async () => {
    const marks = {
      "SCHILY.xattr.trusted.overlay.opaque": "y",
      "SCHILY.xattr.user.overlay.redirect": "/etc",
      "SCHILY.xattr.security.selinux": "x",
    };
    const { tree, tar } = await foreign(pax({ ...marks, "SCHILY.xattr.user.fine": "1" }), raw({ name: "d", type: "5", mode: "0000755\0" }));
    const target = fresh();
    await applyLayer(tree, tar, target, { owners: "exact" });
    expect(xattrsOf(join(target, "d"))).toBe(`# file: ${join(target, "d")}\nuser.fine="1"\n\n`);
  });

  it("a device that is a removal in disguise is refused", async () => {
    const { tree, tar } = await written([]);
    const device: TreeEntry = { kind: "char", path: bytesOf("a"), ...attributes, major: 0, minor: 0 };
    await expect(applyLayer({ ...tree, entries: [device] }, tar, fresh(), { owners: "exact" })).rejects.toMatchObject({
      code: "INVALID_LAYER",
      message: 'unpacking a layer: "a" is the device 0:0',
    });
  });
});
