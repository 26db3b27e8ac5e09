import { createServer } from "node:http";
import { join } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { random } from "../builder/dockerfile/random.ts";
import { importBusybox } from "../support/bases.ts";
import { mustTsbuild, temporaryStore, tsbuild } from "../support/cli.ts";
import { mustRun } from "../support/command.ts";
import { contextDirectory } from "../support/context.ts";
import { checkLayout, readLayoutImage, transientFiles } from "../support/layout.ts";
import { needs } from "../support/needs.ts";
import { fakeImage } from "../support/registry/fake-image.ts";
import { startFakeRegistry } from "../support/registry/fake-registry.ts";
import { closeServer, listenLocally } from "../support/registry/local-server.ts";
import { garbageLeftIn, problemsIn } from "../support/store-health.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const seed = Number(process.env.TSBUILD_TEST_SEED ?? Date.now() % 1_000_000);
const env = { SOURCE_DATE_EPOCH: "0" };

const SHARED = `FROM busybox AS tools
RUN sleep 0.2; mkdir /tools && echo tool > /tools/one
FROM busybox
COPY shared /shared
RUN sleep 0.1; cat /shared/* > /all; rm /etc/shadow
COPY --from=tools /tools /tools
`;

const files = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`shared/${i}`, `${i}\n`.repeat(200)]));

function makeContext(own: string): string {
  return contextDirectory({ Dockerfile: SHARED + own, ...files, mine: own });
}

describe("processes that build at once in one store", needs("sandbox"), () => {
  let prepared: string;
  beforeAll(async () => {
    prepared = join(temporaryDirectory("prepared"), "store");
    await importBusybox({ store: prepared });
  });

  const freshStore = async () => {
    const store = temporaryStore();
    await mustRun(["cp", "-a", prepared, store]);
    return store;
  };
  const build = (store: string, name: string, context: string) =>
    tsbuild(["build", "--progress", "plain", "--network", "none", "-t", name, context], { store, env });
  const imageOf = (store: string, name: string) => {
    const { imageId, config } = readLayoutImage(store, name);
    return { imageId, diffIds: config.rootfs.diff_ids };
  };

  /** Builds them all at once, and each alone in a store of its own, which must give the same. */
  async function buildTogether(store: string, contexts: Readonly<Record<string, string>>): Promise<void> {
    const results = await Promise.all(Object.entries(contexts).map(([name, context]) => build(store, name, context)));
    for (const { code, stderr } of results) expect(code, stderr).toBe(0);
    expect(checkLayout(store)).toEqual({ names: [...Object.keys(contexts), "busybox"].sort(), damage: [] });
    expect(transientFiles(store)).toEqual([]);
    for (const [name, context] of Object.entries(contexts)) {
      const alone = await freshStore();
      expect((await build(alone, name, context)).code).toBe(0);
      expect(imageOf(store, name), name).toEqual(imageOf(alone, name));
      const script = "cat /tools/one; wc -l < /all; ls /etc/shadow 2>&1 || true";
      expect(await mustTsbuild(["run", "--rm", name, "sh", "-c", script], { store })).toBe(
        "tool\n8000\nls: /etc/shadow: No such file or directory\n",
      );
    }
  }

  it.each([2, 4])("%i with the same context all succeed and give the same image", async (count) => {
    const context = makeContext("");
    await buildTogether(await freshStore(), Object.fromEntries(Array.from({ length: count }, (_, i) => [`same-${i}`, context])));
  });

  it.each([2, 4])("%i that share steps all succeed and give what each gives alone", async (count) => {
    const contexts = Array.from({ length: count }, (_, i) => [`own-${i}`, makeContext(`COPY mine /\nRUN echo ${i} > /own\n`)] as const);
    await buildTogether(await freshStore(), Object.fromEntries(contexts));
  });

  it("make the store together when there is none yet", async () => {
    const store = temporaryStore();
    const context = contextDirectory({ Dockerfile: "FROM scratch\nCOPY file /\n", file: "x\n" });
    const names = ["a", "b", "c", "d"];
    const results = await Promise.all(names.map((name) => build(store, name, context)));
    for (const { code, stderr } of results) expect(code, stderr).toBe(0);
    expect(checkLayout(store)).toEqual({ names, damage: [] });
    expect(transientFiles(store)).toEqual([]);
  });

  it(`16 run each step that they share once, whatever is collected meanwhile (seed ${seed})`, { timeout: 300_000 }, async () => {
    const store = await freshStore();
    const counts = new Map<string, number>();
    const server = createServer((request, response) => {
      const id = request.url ?? "";
      counts.set(id, (counts.get(id) ?? 0) + 1);
      response.end();
    });
    onTestFinished(() => closeServer(server));
    const url = `http://127.0.0.1:${await listenLocally(server)}`;
    const below = random(seed);
    const wanted = new Set<string>();
    // Each path of choices is a step of its own: those with the same beginning share it.
    const dockerfiles = Array.from({ length: 16 }, () => {
      const stage = (name: string) => {
        let path = `/${name}`;
        const runs = Array.from({ length: 3 }, () => {
          path += `/${below(2)}`;
          wanted.add(path);
          return `RUN wget -q -O /dev/null ${url}${path} && echo ${path} >> /steps`;
        });
        return `FROM busybox AS ${name}\n${runs.join("\n")}\n`;
      };
      return `${stage("one")}${stage("two")}COPY --from=one /steps /one\n`;
    });
    let building = true;
    const collect = async (...flags: string[]) => {
      let rounds = 0;
      // Not the records: a step whose result nothing keeps any more has to run again, and may.
      for (; building; rounds++) await mustTsbuild(["prune", "-f", ...flags], { store });
      return rounds;
    };
    const collecting = Promise.all([collect(), collect("--filter", "type=directories")]);
    const failures: string[] = [];
    const registry = await startFakeRegistry();
    onTestFinished(() => registry.close());
    registry.putImage("team/app", "v1", await fakeImage({ layers: [{ a: "a" }, { b: "b".repeat(200_000) }] }));
    const pulled = `${registry.host}/team/app:v1`;
    const pull = async () => {
      const { code, stderr } = await tsbuild(["pull", "-q", pulled], { store });
      if (code !== 0) failures.push(stderr);
    };
    await Promise.all([
      pull(),
      ...dockerfiles.map(async (Dockerfile, n) => {
        const name = `app-${n}`;
        const built = await tsbuild(["build", "-q", "--network", "host", "-t", name, contextDirectory({ Dockerfile })], { store, env });
        if (built.code !== 0) failures.push(built.stderr);
        const removed = n % 2 === 0 ? undefined : await tsbuild(["rmi", name], { store });
        if (removed !== undefined && removed.code !== 0) failures.push(removed.stderr);
      }),
    ]);
    building = false;
    const rounds = await collecting;
    expect(failures).toEqual([]);
    expect(Math.min(...rounds)).toBeGreaterThan(0);
    expect(Object.fromEntries(counts)).toEqual(Object.fromEntries([...wanted].map((path) => [path, 1])));
    expect(checkLayout(store)).toEqual({
      names: [...[0, 2, 4, 6, 8, 10, 12, 14].map((n) => `app-${n}`), "busybox", pulled].sort(),
      damage: [],
    });
    expect(await problemsIn(store)).toEqual([]);
    expect(await garbageLeftIn(store)).toEqual([]);
  });
});
