import { once } from "node:events";
import { readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { removeStale } from "../../../store/lease.ts";
import { machinePlatform } from "../../../store/platform.ts";
import { openStore } from "../../../store/store.ts";
import { verifyStore } from "../../../store/verify.ts";
import { CHECKOUT } from "../../support/cli.ts";
import { fakeImage } from "../../support/registry/fake-image.ts";
import { type FakeRegistry, startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { ended, type StoreProgram, storeProgram } from "../store-process.ts";

// argv: STORE HOST COUNT. Pulls both platforms of COUNT images, and prints each name that is pulled whole.
const pulling = `
  import { openStore } from "store/store.ts";
  import { parseReference } from "store/reference.ts";
  import { openRegistry } from "store/registry/registry.ts";
  import { pullImage } from "store/registry/pull.ts";
  const [, , root, host, count] = process.argv;
  const store = await openStore(root);
  const registry = openRegistry();
  for (let i = 0; i < Number(count); i++) {
    for (const platform of [undefined, { os: "linux", architecture: "s390x" }]) {
      await pullImage(store, registry, parseReference(host + "/app:" + i), { platform });
      process.stdout.write(host + "/app:" + i + "\\n");
    }
  }
  await registry.close();
  await store.close();`;

const count = 12;

let registry: FakeRegistry;
let directory: string;
let program: StoreProgram;
beforeEach(async () => {
  registry = await startFakeRegistry();
  directory = temporaryDirectory("pull-crash");
  program = storeProgram(directory, pulling);
  // The bundle loads packages from beside itself.
  symlinkSync(join(CHECKOUT, "node_modules"), join(directory, "node_modules"));
  for (let i = 0; i < count; i++) {
    const content = (name: string) => ({ [name]: `${name} ${i} `.repeat(20_000) });
    const images = await Promise.all(
      [machinePlatform(), { os: "linux", architecture: "s390x" }].map((platform) =>
        fakeImage({ platform, layers: [{ shared: "all" }, content("a"), content(platform.architecture)] }),
      ),
    );
    registry.putIndex("app", String(i), images);
  }
  return () => registry.close();
});

describe("processes that pull the same at once", () => {
  it("do not disturb each other", async () => {
    const root = join(directory, "store");
    const ends = await Promise.all([1, 2, 3].map(() => ended(program.start(root, registry.host, "3"))));
    for (const { code, stderr } of ends) expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    await using store = await openStore(root);
    expect((await store.images.list()).map(({ names }) => names[0]).sort()).toEqual([0, 1, 2].map((i) => `${registry.host}/app:${i}`));
    expect(await verifyStore(store)).toEqual([]);
    expect([readdirSync(join(root, "v1/tmp")), readdirSync(join(root, "v1/leases"))]).toEqual([[], []]);
  });
});

describe("kill -9 of a pull", () => {
  it("at any instant leaves every listed image whole, and every image that was pulled listed", { timeout: 120_000 }, async () => {
    const root = join(directory, "store");
    const pulled = new Set<string>();
    for (let i = 0; i < 15; i++) {
      const child = program.start(root, registry.host, String(count));
      const end = ended(child);
      // Others are killed before they have pulled anything, or opened the store.
      if (i % 3 !== 0) await Promise.race([once(child.stdout, "data"), end]);
      const timer = setTimeout(() => child.kill("SIGKILL"), i % 3 === 0 ? 100 + Math.random() * 150 : Math.random() * 80);
      const { stdout } = await end;
      clearTimeout(timer);
      for (const line of stdout.split("\n").slice(0, -1)) pulled.add(line);
      await using store = await openStore(root);
      expect(await verifyStore(store)).toEqual([]);
      const names = (await store.images.list()).flatMap((image) => image.names);
      expect([...pulled].filter((name) => !names.includes(name))).toEqual([]);
    }
    await removeStale(root);
    expect([readdirSync(join(root, "v1/tmp")), readdirSync(join(root, "v1/leases"))]).toEqual([[], []]);
    expect((await ended(program.start(root, registry.host, String(count)))).code).toBe(0);
    await using store = await openStore(root);
    expect(await verifyStore(store)).toEqual([]);
  });
});
