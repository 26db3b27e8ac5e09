import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { removeStale } from "../../store/lease.ts";
import { openStore } from "../../store/store.ts";
import { verifyStore } from "../../store/verify.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { ended, storeProgram } from "./store-process.ts";

// argv: STORE PREFIX COUNT. Puts COUNT images of one layer under two names each, one of them shared, and prints what it has put.
const putting = `
  import { openStore } from "store/store.ts";
  import { writeLayer } from "store/layer/tar-write.ts";
  import { writeRecord } from "store/records.ts";
  import { createHash } from "node:crypto";
  const [, , root, prefix, count] = process.argv;
  const store = await openStore(root);
  for (let i = 0; i < Number(count); i++) {
    const attributes = { mode: 0o644, uid: 0, gid: 0, mtime: 0, mtimeNsec: 0 };
    const bytes = Buffer.alloc(20_000 + i, prefix + i);
    const entry = { kind: "file", path: "f", ...attributes, size: bytes.length, content: { at: "bytes", bytes } };
    const tempTar = await store.tempFile("t");
    const tree = await writeLayer([entry], tempTar, { sync: true, ignoreMtime: () => false });
    const { diffId, blob } = await store.layers.add(tree, { tempTar });
    await writeRecord(store, "steps", createHash("sha256").update(prefix + i).digest("hex"), Buffer.from(diffId));
    const config = { os: "linux", architecture: "amd64", author: prefix + i, rootfs: { type: "layers", diff_ids: [diffId] } };
    await store.images.put({ config, layers: [blob], names: [prefix + "-" + i, "shared"] });
    process.stdout.write(prefix + "-" + i + "\\n");
  }
  await store.close();`;

describe("processes that write at once", () => {
  it("lose no name of each other", async () => {
    const directory = temporaryDirectory("crash");
    const root = join(directory, "store");
    const program = storeProgram(directory, putting);
    const ends = await Promise.all(["a", "b", "c"].map((prefix) => ended(program.start(root, prefix, "15"))));
    for (const { code, stderr } of ends) expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    await using store = await openStore(root);
    const names = (await store.images.list()).flatMap((image) => image.names);
    const wanted = ["a", "b", "c"].flatMap((prefix) => Array.from({ length: 15 }, (_, i) => `${prefix}-${i}`));
    expect(names.sort()).toEqual([...wanted, "shared"].sort());
    expect(await verifyStore(store)).toEqual([]);
    expect([readdirSync(join(root, "v1/tmp")), readdirSync(join(root, "v1/leases"))]).toEqual([[], []]);
  });
});

describe("kill -9", () => {
  it("at any instant leaves every listed image whole, and every image that was put listed", { timeout: 120_000 }, async () => {
    const directory = temporaryDirectory("crash");
    const root = join(directory, "store");
    const program = storeProgram(directory, putting);
    const put: string[] = [];
    for (let i = 0; i < 40; i++) {
      const child = program.start(root, `k${i}`, "1000");
      const end = ended(child);
      // Half of them while they put images, half at any time since their start, the first before there is a store.
      if (i % 2 === 1) await Promise.race([once(child.stdout, "data"), end]);
      const delayMs = i % 2 === 1 ? Math.random() * 60 : 40 + Math.random() * 130;
      const timer = setTimeout(() => child.kill("SIGKILL"), delayMs);
      const { signal, stdout, stderr } = await end;
      clearTimeout(timer);
      expect([signal, stderr], `killed after ${delayMs} ms`).toEqual(["SIGKILL", ""]);
      const done = stdout.split("\n").filter((line) => line !== "");
      if (i % 2 === 1) expect(done.length).toBeGreaterThan(0);
      put.push(...done);
    }
    await using store = await openStore(root);
    expect(await verifyStore(store)).toEqual([]);
    const names = new Set((await store.images.list()).flatMap((image) => image.names));
    expect(put.filter((name) => !names.has(name))).toEqual([]);
    await removeStale(root);
    expect([readdirSync(join(root, "v1/tmp")), readdirSync(join(root, "v1/leases"))]).toEqual([[], []]);
  });
});
