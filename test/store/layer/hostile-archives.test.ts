import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { applyLayer } from "../../../store/layer/apply.ts";
import { readLayer } from "../../../store/layer/tar-read.ts";
import { mutant } from "../../support/mutant.ts";
import { needs } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { listing } from "../../support/tree.ts";
import { careless } from "./careless.ts";
import { chunked, pax, raw, trailer } from "./samples.ts";

const temp = temporaryDirectory("hostile");
let count = 0;

/** A directory of the host that no layer may touch, and beside it the place where layers are unpacked. */
function host(): { readonly canary: string; readonly inside: string } {
  const place = join(temp, String(count++), "store");
  const canary = join(place, "../canary");
  mkdirSync(join(canary, "deep"), { recursive: true, mode: 0o700 });
  writeFileSync(join(canary, "file"), "precious", { mode: 0o600 });
  mkdirSync(place);
  return { canary, inside: place };
}

const file = (name: string): Buffer => Buffer.concat([pax({ path: name }), raw({}, "overwritten")]);
const directory = (name: string): Buffer => raw({ name, type: "5", mode: "0000777\0", uid: "0000143\0" });
const symlink = (name: string, target: string): Buffer => Buffer.concat([pax({ linkpath: target }), raw({ name, type: "2" })]);
const link = (name: string, target: string): Buffer => Buffer.concat([pax({ linkpath: target }), raw({ name, type: "1" })]);

type Attack = readonly [name: string, archive: (canary: string) => readonly Buffer[], refused?: string];

// Layers are unpacked into store/N; the canary is at ../canary from there.
const attacks = (
  [
    ["an absolute path", (canary) => [file(`${canary}/file`)]],
    ["a path upwards", () => [file("../../canary/file")], "UNSAFE_PATH"],
    ["a path that goes in and upwards", () => [file("d/../../../canary/file")], "UNSAFE_PATH"],
    ["a directory upwards", () => [directory("../../canary/deep")], "UNSAFE_PATH"],
    ["a symlink, then a file through it", (canary) => [symlink("l", canary), file("l/file")]],
    ["a symlink upwards, then a file through it", () => [symlink("l", "../../canary"), file("l/file")]],
    ["two symlinks that go up step by step", () => [symlink("l", ".."), symlink("m", "l/.."), file("m/canary/file")]],
    ["a symlink to the root, then a path of the host", (canary) => [symlink("l", "/"), file(`l${canary}/file`)]],
    [
      "a directory, a symlink in its place, then a file through it",
      (canary) => [directory("d"), file("d/x"), symlink("d2", canary), file("d2/file")],
    ],
    ["a symlink in the place of a file, then the file again", (canary) => [file("f"), symlink("f", `${canary}/file`), file("f")]],
    ["a symlink to the file itself, then its content", (canary) => [symlink("f", `${canary}/file`), file("f")]],
    ["a hard link upwards, then its content", () => [link("h", "../../canary/file"), file("h")], "UNSAFE_PATH"],
    ["a hard link to an absolute path, then its content", (canary) => [link("h", `${canary}/file`), file("h")]],
    ["a hard link through a symlink, then its content", (canary) => [symlink("l", canary), link("h", "l/file"), file("h")]],
    ["a hard link to a symlink, then its content", (canary) => [symlink("l", `${canary}/file`), link("h", "l"), file("h")]],
    ["attributes of a directory through a symlink", (canary) => [symlink("l", `${canary}/deep`), directory("l")]],
    ["a directory through a symlink", (canary) => [symlink("l", canary), directory("l/new")]],
    ["a symlink through a symlink", (canary) => [symlink("l", canary), symlink("l/new", "/")]],
    ["a fifo through a symlink", (canary) => [symlink("l", canary), raw({ name: "l/fifo", type: "6" })]],
    [
      "a device through a symlink",
      (canary) => [symlink("l", canary), raw({ name: "l/null", type: "3", major: "0000001\0", minor: "0000003\0" })],
    ],
    ["a removal through a symlink", (canary) => [symlink("l", canary), raw({ name: "l/.wh.file" })]],
    [
      "an opaque marker through a symlink",
      (canary) => [symlink("l", canary), raw({ name: "l/.wh..wh..opq" }), raw({ name: "l/deep/.wh..wh..opq" })],
    ],
    ["a removal upwards", () => [raw({ name: "../../canary/.wh.file" })], "UNSAFE_PATH"],
    ["a removal of ..", () => [directory("d"), raw({ name: "d/../../.wh..." }), raw({ name: ".wh..." })], "UNSAFE_PATH"],
  ] satisfies Attack[]
).map(([name, archive, refused]: Attack) => ({ name, archive, refused }));

describe("attacks: archives that reach for the host", needs("root", "attr", "python"), () => {
  it.each(attacks)("$name does not reach it", async ({ archive, refused }) => {
    const { canary, inside } = host();
    const before = listing(canary);
    const bytes = Buffer.concat([...archive(canary), trailer]);
    const tar = join(inside, "layer.tar");
    writeFileSync(tar, bytes);
    const unpacked = readLayer(chunked(bytes)).then(({ tree }) => applyLayer(tree, tar, join(inside, "0"), { owners: "exact" }));
    if (refused === undefined) {
      // A hard link to what no layer has is no escape, but cannot be made either.
      const code = await unpacked.then(
        () => "unpacked",
        (error: { code: string }) => error.code,
      );
      expect(["unpacked", "UNSUPPORTED_HARDLINK"]).toContain(code);
    } else await expect(unpacked).rejects.toMatchObject({ code: refused });
    expect(listing(canary), "A HOST FILE WAS CHANGED: a layer escaped its directory").toEqual(before);
  });

  it.each(attacks)("$name is one: a careless program falls for it", ({ archive }) => {
    const { canary, inside } = host();
    const before = listing(canary);
    const tar = join(inside, "layer.tar");
    writeFileSync(tar, Buffer.concat([...archive(canary), trailer]));
    mkdirSync(join(inside, "0"));
    spawnSync("python3", [join(import.meta.dirname, "naive-unpack.py"), tar, join(inside, "0")], { stdio: "ignore" });
    const after = spawnSync("test", ["-d", canary]).status === 0 ? listing(canary) : [];
    expect(after).not.toEqual(before);
  });

  describe("with the defences taken out", () => {
    let reader: typeof import("../../../store/layer/tar-read.ts");
    let unpacker: typeof import("../../../store/layer/apply.ts");

    beforeAll(async () => {
      const { load } = await mutant(careless);
      reader = await load("store/layer/tar-read.ts");
      unpacker = await load("store/layer/apply.ts");
    }, 300_000);

    it.each(attacks)("$name reaches it", async ({ archive }) => {
      const { canary, inside } = host();
      const before = listing(canary);
      const bytes = Buffer.concat([...archive(canary), trailer]);
      const tar = join(inside, "layer.tar");
      writeFileSync(tar, bytes);
      const { tree } = await reader.readLayer(chunked(bytes));
      // What comes of the rest of the archive does not matter.
      await unpacker.applyLayer(tree, tar, join(inside, "0"), { owners: "exact" }).catch(() => undefined);
      expect(existsSync(canary) ? listing(canary) : []).not.toEqual(before);
    });
  });
});
