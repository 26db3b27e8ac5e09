import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { nativeAddon } from "../../runtime-addon/binding.ts";
import { bytesOf, decodeScan } from "../../runtime-addon/index.ts";
import { MessageWriter, packPaths } from "../../runtime-addon/message.ts";
import { digestOf } from "../../store/digest.ts";
import { needs } from "../support/needs.ts";
import { sampleBytes } from "../support/sample-bytes.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { bundleProgram } from "./bundled.ts";

/** 800 files in 40 directories. */
function writeTree(tree: string): void {
  for (let directory = 0; directory < 40; directory++) {
    mkdirSync(join(tree, `d${directory}`), { recursive: true });
    for (let file = 0; file < 20; file++) writeFileSync(join(tree, `d${directory}`, `f${file}`), Buffer.alloc(2000, file));
  }
}

describe("however many threads there are", () => {
  it("scans, hashes, extracts and compresses to the same bytes", needs("libdeflate"), async () => {
    const root = temporaryDirectory("threads");
    const tree = join(root, "tree");
    writeTree(tree);
    const addon = nativeAddon();
    const sums: string[] = [];
    for (const threads of [1, 2, 7, 40]) {
      const out = join(root, `out-${threads}`);
      mkdirSync(out);
      const top = packPaths([bytesOf("")]);
      const scanned = await addon.scan(tree, top.numbers, top.text, true, true, 4095, threads);
      const files = decodeScan(scanned).filter(({ type }) => type === "file");
      const paths = packPaths(files.map(({ path }) => path));
      const hashes = await addon.hashFiles(tree, paths.numbers, paths.text, threads);
      const tar = join(out, "tar");
      writeFileSync(tar, sampleBytes(2 ** 20));
      const { digest } = await addon.gzipFile(tar, join(out, "tar.gz"), 6, 2 ** 16, threads).done;
      const copy = join(out, "copy");
      mkdirSync(copy);
      const entries = new MessageWriter();
      for (const [i, { path }] of files.entries()) {
        entries
          .number(0)
          .text(bytesOf(path.replace("/", "-")))
          .number(i * 512)
          .number(512);
        entries.number(0o644).number(0).number(0).number(i).number(0).number(0);
      }
      const { numbers, text } = entries.finish();
      await addon.extract(copy, tar, numbers, text, false, threads);
      const names = readdirSync(copy);
      const copied = packPaths(names.map(bytesOf));
      const contents = await addon.hashFiles(copy, copied.numbers, copied.text, threads);
      sums.push(digestOf(Buffer.concat([scanned, hashes, digest, contents, Buffer.from(names.join())])));
    }
    expect(new Set(sums).size).toBe(1);
  });
});

const UID = 54_321;

describe("without a thread to be had", needs("root"), () => {
  it("scans, hashes, packs, extracts and removes all the same", { timeout: 60_000 }, () => {
    const root = temporaryDirectory("threads");
    const tree = join(root, "tree");
    writeTree(tree);
    const program = bundleProgram(
      root,
      `const { execFileSync } = await import("node:child_process");
       const { mkdirSync, promises } = await import("node:fs");
       const [tree, out] = args as [string, string];
       // Node's own pool comes first; from then on this user may start nothing.
       await promises.stat(tree);
       execFileSync("prlimit", ["--pid", String(process.pid), "--nproc=1:1"]);
       const entries = runtime.decodeScan(await runtime.scan(tree, ["" as runtime.ByteString], { recursive: true, xattrs: false }));
       const files = entries.filter((entry) => entry.type === "file");
       const digests = await runtime.hashFiles(tree, files.map((file) => file.path));
       const sink = runtime.openTarSink(out + "/tar");
       const packed = await sink.write(files.map((file) => ({ root: tree, path: file.path, size: file.size })));
       const { size } = await sink.finish({ sync: false });
       mkdirSync(out + "/copy");
       const list = entries.map((entry) => ({ ...entry, kind: entry.type, offset: 2048 * files.indexOf(entry) }));
       await runtime.extract(out + "/copy", out + "/tar", list as runtime.ExtractEntry[], { owners: false });
       const copied = await runtime.hashFiles(out + "/copy", files.map((file) => file.path));
       await runtime.removeTree(out + "/copy");
       let lock: unknown;
       const { open } = await import("node:fs/promises");
       const [first, second] = [await open(out + "/tar"), await open(out + "/tar")];
       await runtime.lockFile(first.fd, "exclusive", { wait: true });
       try { await runtime.lockFile(second.fd, "shared", { wait: true }); } catch (error) { lock = { code: error.code, syscall: error.syscall }; }
       return { files: files.length, size, same: digests.equals(packed) && digests.equals(copied), lock };`,
    );
    const out = join(root, "out");
    mkdirSync(out);
    chownSync(out, UID, UID);
    chmodSync(root, 0o755);
    const argv = ["--reuid", String(UID), "--regid", String(UID), "--clear-groups", process.execPath, program, tree, out];
    expect(JSON.parse(execFileSync("setpriv", argv, { encoding: "utf8" }))).toEqual({
      value: { files: 800, size: 800 * 2048, same: true, lock: { code: "EAGAIN", syscall: "pthread_create" } },
    });
  });
});
