import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import * as compression from "../../../store/compression.ts";
import * as unpacker from "../../../store/layer/apply.ts";
import * as reader from "../../../store/layer/tar-read.ts";
import { type Mutation, mutant } from "../../support/mutant.ts";
import { needs } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { chunked, pax, raw, trailer } from "./samples.ts";

// What an archive says that is no path: marks of overlay, and sizes. With the defences taken out each attack must do what it is there for.

const undefended: readonly Mutation[] = [
  {
    file: "store/layer/layer-collector.ts",
    from: 'entry.kind === "char" && entry.major === 0 && entry.minor === 0',
    to: 'entry.kind === "char" && entry.major < 0',
  },
  { file: "store/layer/apply.ts", from: 'kind === "char" && major === 0 && minor === 0', to: 'kind === "char" && major < minor - 1e9' },
  { file: "runtime-addon/src/addon/extract.cc", from: "type == S_IFCHR && entry.major == 0 && entry.minor == 0", to: "false" },
  { file: "store/layer/xattrs.ts", from: "return overlay.test(name);", to: 'return overlay.test("");' },
  { file: "store/layer/xattrs.ts", from: "const portable = /^user\\.|", to: "const portable = /^user\\.|^trusted\\.|" },
  { file: "store/compression.ts", from: "if (plain > limits.plainBytes) {", to: "if (plain < 0) {" },
  { file: "store/compression.ts", from: "plain > compressed * limits.ratio", to: "plain < 0" },
  { file: "store/layer/tar-parse.ts", from: "if (metaBytes > maxMetaBytes)", to: "if (metaBytes < 0)" },
  { file: "store/layer/entry-path.ts", from: 'maxPathBytes + 2 || name.includes("\\0")) {', to: "maxPathBytes + 2) {" },
];

interface Program {
  readonly compression: Pick<typeof compression, "plainBytes">;
  readonly reader: Pick<typeof reader, "readLayer">;
  readonly unpacker: Pick<typeof unpacker, "applyLayer">;
}
const ours: Program = { compression, reader, unpacker };
let careless: Program;
beforeAll(async () => {
  const { load } = await mutant(undefended);
  careless = {
    compression: await load("store/compression.ts"),
    reader: await load("store/layer/tar-read.ts"),
    unpacker: await load("store/layer/apply.ts"),
  };
}, 300_000);

const temp = temporaryDirectory("hostile-marks");
let count = 0;

/** Unpacks the archive as a layer over a base with d/secret and hidden/other; answers the layer's directory, which has its base beside it. */
async function unpack(program: Program, archive: readonly Buffer[]): Promise<string> {
  const place = join(temp, String(count++));
  for (const directory of ["base/d", "base/hidden", "merged"]) mkdirSync(join(place, directory), { recursive: true });
  writeFileSync(join(place, "base/d/secret"), "");
  writeFileSync(join(place, "base/hidden/other"), "");
  const bytes = Buffer.concat([...archive, trailer]);
  writeFileSync(join(place, "layer.tar"), bytes);
  const { tree } = await program.reader.readLayer(chunked(bytes));
  await program.unpacker.applyLayer(tree, join(place, "layer.tar"), join(place, "layer"), { owners: "exact" });
  return place;
}

/** The files in d as a container sees them on an overlay with these options. */
function seenIn(place: string, options: string): readonly string[] {
  const script = 'mount -t overlay overlay -o "$1" "$2" && ls -A "$2/d"';
  const mount = ["-m", "sh", "-c", script, "sh", `lowerdir=${place}/layer:${place}/base,${options}`, `${place}/merged`];
  return execFileSync("unshare", mount, { encoding: "utf8" }).split("\n").slice(0, -1);
}

const device = raw({ name: "d/secret", type: "3", major: "0000000\0", minor: "0000000\0" });
const marked = (name: string, value: string): readonly Buffer[] => [
  pax({ [`SCHILY.xattr.${name}`]: value }),
  raw({ name: "d", type: "5", mode: "0000755\0" }),
];

interface Attack {
  readonly name: string;
  readonly archive: readonly Buffer[];
  /** Options of the mount that believes the mark. */
  readonly options: string;
  /** What is in d then. */
  readonly falsified: readonly string[];
  /** Absent: the mark is left out. */
  readonly refused?: string;
}

const marks: readonly Attack[] = [
  { name: "a device 0:0 in a file's place", archive: [device], options: "userxattr", falsified: [], refused: "INVALID_TAR" },
  { name: "user.overlay.opaque on a directory", archive: marked("user.overlay.opaque", "y"), options: "userxattr", falsified: [] },
  { name: "trusted.overlay.opaque on a directory", archive: marked("trusted.overlay.opaque", "y"), options: "index=off", falsified: [] },
  {
    name: "trusted.overlay.redirect to another directory",
    archive: marked("trusted.overlay.redirect", "/hidden"),
    options: "redirect_dir=follow",
    falsified: ["other"],
  },
];

describe("attacks: archives with the marks of overlay", needs("root", "privateMounts", "attr"), () => {
  it.each(marks)("$name changes nothing below", async ({ archive, options, refused }) => {
    if (refused !== undefined) await expect(unpack(ours, archive)).rejects.toMatchObject({ code: refused });
    else expect(seenIn(await unpack(ours, archive), options)).toEqual(["secret"]);
  });

  it.each(marks)("$name is one: without the defence the mount believes it", async ({ archive, options, falsified }) => {
    expect(seenIn(await unpack(careless, archive), options)).toEqual(falsified);
  });
});

describe("attacks: archives that are more than they seem", () => {
  const limits = { plainBytes: 2 ** 20, ratio: 1100, freeBytes: 2 ** 30 };
  const bomb = gzipSync(Buffer.alloc(32 * 2 ** 20));
  const inflated = async ({ compression: { plainBytes } }: Program): Promise<number> => {
    let bytes = 0;
    for await (const chunk of plainBytes(chunked(bomb), { limits })) bytes += chunk.length;
    return bytes;
  };
  const longHeader = Buffer.concat([pax({ comment: "x".repeat(4 * 2 ** 20) }), raw({ name: "f" }), trailer]);
  const cutName = Buffer.concat([pax({ path: "harmless\0.txt" }), raw({}, "x"), trailer]);
  const entriesOf = async ({ reader: { readLayer } }: Program, tar: Buffer) =>
    (await readLayer(chunked(tar))).tree.entries.map(({ path }) => path);

  it("a compression bomb ends at the limit", async () => {
    await expect(inflated(ours)).rejects.toMatchObject({ code: "TOO_LARGE" });
    expect(await inflated(careless)).toBe(32 * 2 ** 20);
  });

  it("an extended header of megabytes is not read into memory", async () => {
    await expect(entriesOf(ours, longHeader)).rejects.toMatchObject({
      code: "INVALID_TAR",
      message: expect.stringContaining("extended headers"),
    });
    expect(await entriesOf(careless, longHeader)).toEqual(["f"]);
  });

  it("a name with a NUL, whose entry would be in the archive and in no tree, is refused", async () => {
    await expect(entriesOf(ours, cutName)).rejects.toMatchObject({
      code: "INVALID_TAR",
      message: expect.stringContaining("holds a NUL byte"),
    });
    expect(await entriesOf(careless, cutName)).toEqual([]);
  });
});
