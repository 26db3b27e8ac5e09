import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { removePaths, removeTree, setAttributes, textOf } from "../../../runtime-addon/index.ts";
import { applyLayer } from "../../../store/layer/apply.ts";
import { diffUpper } from "../../../store/layer/diff.ts";
import { rootPath } from "../../../store/layer/entry-path.ts";
import { type RootfsEntry, type RootfsLayer, stackRootfs } from "../../../store/layer/rootfs.ts";
import { writeLayer } from "../../../store/layer/tar-write.ts";
import { needs } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

// The same random edits on a plain directory and on overlay mounts whose uppers become layers: all must show the same files.
// TSBUILD_FUZZ=N runs N seeds; TSBUILD_SEED=S only that one.

const seeds =
  process.env.TSBUILD_SEED === undefined
    ? Array.from({ length: Number(process.env.TSBUILD_FUZZ ?? 200) }, (_, i) => i + 1)
    : [Number(process.env.TSBUILD_SEED)];
const layersPerSeed = 3;
const editsPerLayer = 12;

describe("layers made of overlay uppers", needs("privateMounts", "python"), () => {
  const temp = temporaryDirectory("model");
  let editor: ChildProcess;
  let ask: <Answer>(request: object) => Promise<Answer>;

  beforeAll(() => {
    editor = spawn("unshare", ["--mount", "python3", join(import.meta.dirname, "overlay-model.py")], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const { stdin, stdout } = editor;
    if (stdin === null || stdout === null) throw new Error("no pipes");
    const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
    ask = async (request) => {
      stdin.write(`${JSON.stringify(request)}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error("the editor ended");
      return JSON.parse(value);
    };
  });
  afterAll(async () => {
    const ended = once(editor, "exit");
    editor.stdin?.end();
    await ended;
  });

  it.each(seeds)("seed %i", { timeout: 60_000 }, async (seed) => {
    const work = join(temp, String(seed));
    const at = (...names: string[]): string => join(work, ...names);
    for (const name of ["", "plain", "merged", "empty"]) mkdirSync(at(name));
    // Of every layer both directories that it may have: the upper it was made of, and the one unpacked from its tar.
    const uppers = [at("empty")];
    const applied = [at("empty")];
    const layers: RootfsLayer[] = [];
    for (let n = 0; n < layersPerSeed; n++) {
      const upper = at(`upper${n}`);
      const tar = at(`layer${n}.tar`);
      mkdirSync(upper);
      mkdirSync(at(`work${n}`));
      const lowers = n % 2 === seed % 2 ? uppers : applied;
      const edited = await ask<{ plain: string[]; merged: string[] }>({
        plain: at("plain"),
        lowers,
        upper,
        work: at(`work${n}`),
        merged: at("merged"),
        seed: seed * 100 + n,
        edits: editsPerLayer,
      });
      expect(edited.merged).toEqual(edited.plain);

      const parent = stackRootfs(layers);
      const { entries, unchanged, clamped } = await diffUpper(upper, parent, { owners: "exact" });
      const tree = await writeLayer(entries, tar, { sync: false, ignoreMtime: () => false });
      await removePaths(upper, unchanged);
      await setAttributes(upper, clamped);
      layers.push({ tree, tar: async () => tar });
      const target = at(`applied${n}`);
      await applyLayer(tree, tar, target, { owners: "exact", lower: parent });
      uppers.unshift(upper);
      applied.unshift(target);

      const lines = async (look: string): Promise<string[]> => (await ask<{ lines: string[] }>({ look })).lines;
      expect(await lines(upper)).toEqual(await lines(target));
      for (const stack of [uppers, applied]) {
        const seen = await ask<{ plain: string[]; merged: string[] }>({ plain: at("plain"), lowers: stack, merged: at("merged") });
        expect(seen.merged).toEqual(edited.plain);
      }
      expect([...stackRootfs(layers).walk(rootPath)].map(line).sort()).toEqual(edited.plain.map(withoutLinks).sort());
      // Looking again at layers that were just made finds no change.
      const again = await diffUpper(at("empty"), stackRootfs(layers), { owners: "exact" });
      expect(again.entries).toEqual([]);
    }
    await removeTree(work);
  });
});

const typeBits = { file: 0o100000, directory: 0o040000, symlink: 0o120000, char: 0o020000, block: 0o060000, fifo: 0o010000 } as const;

/** An entry as the editor prints a file. */
function line(entry: RootfsEntry): string {
  const mode = entry.kind === "symlink" ? 0o777 : entry.mode;
  const fields = [
    textOf(entry.path),
    `0o${(typeBits[entry.kind] | mode).toString(8)}`,
    `${entry.uid}:${entry.gid}`,
    String(BigInt(entry.mtime) * 1_000_000_000n + BigInt(entry.mtimeNsec)),
  ];
  if (entry.kind === "file") fields.push(entry.digest.slice(7, 19));
  if (entry.kind === "symlink") fields.push(textOf(entry.target));
  if (entry.kind === "char" || entry.kind === "block") fields.push(String(entry.major * 256 + entry.minor));
  for (const [name, value] of Object.entries(entry.xattrs ?? {})) fields.push(`${name}=${Buffer.from(value, "latin1").toString("hex")}`);
  return fields.join(" ");
}

function withoutLinks(text: string): string {
  return text.replace(/ <[^>]*>/, "");
}
