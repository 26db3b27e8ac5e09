import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { bundleProgram } from "./bundled.ts";

const UID = 54_321;

describe("without a thread to be had", needs("root"), () => {
  it("scans, hashes, packs, extracts and removes all the same", { timeout: 60_000 }, () => {
    const root = temporaryDirectory("threads");
    const tree = join(root, "tree");
    for (let directory = 0; directory < 40; directory++) {
      mkdirSync(join(tree, `d${directory}`), { recursive: true });
      for (let file = 0; file < 20; file++) writeFileSync(join(tree, `d${directory}`, `f${file}`), Buffer.alloc(2000, file));
    }
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
