import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { collectGarbage } from "../../store/gc/collect.ts";
import { storeUsage } from "../../store/gc/usage.ts";
import { openStore } from "../../store/index.ts";
import { random } from "../builder/dockerfile/random.ts";
import { importBusybox } from "../support/bases.ts";
import { mustTsbuild, temporaryStore, tsbuild } from "../support/cli.ts";
import { mustRun } from "../support/command.ts";
import { contextDirectory } from "../support/context.ts";
import { transientFiles } from "../support/layout.ts";
import { needs } from "../support/needs.ts";
import { fakeImage } from "../support/registry/fake-image.ts";
import { type FakeRegistry, startFakeRegistry } from "../support/registry/fake-registry.ts";
import { namesIn, problemsIn } from "../support/store-health.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { asUser, createUser } from "../support/users.ts";

const seed = Number(process.env.TSBUILD_TEST_SEED ?? Date.now() % 1_000_000);
/** TSBUILD_TEST_KILLS=1000 for a long run. */
const kills = Number(process.env.TSBUILD_TEST_KILLS ?? 100);
/** Processes that build at once. */
const builders = 6;

/** Contexts that share their first steps and differ in the last. */
function makeContext(own: number): string {
  return contextDirectory({
    Dockerfile: `FROM busybox
COPY shared /shared
RUN cat /shared/* | md5sum > /sum; rm /etc/shadow
COPY own /own
RUN cp /own /mine
`,
    ...Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`shared/${i}`, `${i}\n`.repeat(500)])),
    own: `${own}\n`,
  });
}

/** What is left besides images when all garbage and cache went. */
async function leftAfterPrune(root: string): Promise<readonly string[]> {
  // Not with what looked at the images: it has them pinned.
  await using store = await openStore(root);
  await collectGarbage(store, { all: true });
  // Where the blobs of images came from is known for as long as they are here.
  const stays = new Set(["other", "images", "remote"]);
  return (await storeUsage(store)).filter(({ kind, bytes }) => bytes > 0 && !stays.has(kind)).map(({ kind }) => kind);
}

/** The files of a copy of the store, when its images are removed and all else that may go. */
async function filesWithoutImages(root: string): Promise<readonly string[]> {
  const store = join(temporaryDirectory("emptied"), "store");
  await mustRun(["cp", "-a", root, store]);
  const names = await namesIn(store);
  await mustTsbuild(["rmi", ...names], { store });
  await mustTsbuild(["prune", "-f", "--all"], { store });
  const found = readdirSync(store, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory());
  // The files of steps' locks stay.
  return found
    .map((entry) => relative(store, join(entry.parentPath, entry.name)))
    .filter((path) => !path.startsWith("v1/locks/"))
    .sort();
}

describe("a store with a collector", needs("sandbox"), () => {
  let root: string;
  let registry: FakeRegistry;
  const env = { SOURCE_DATE_EPOCH: "0" };

  beforeAll(async () => {
    registry = await startFakeRegistry();
    for (const tag of ["v1", "v2"]) {
      const layers = [{ common: "common" }, { [tag]: tag.repeat(200_000) }];
      registry.putImage("team/app", tag, await fakeImage({ layers }));
    }
    root = join(temporaryDirectory("garbage"), "store");
    await importBusybox({ store: root });
  });
  afterAll(() => registry.close());

  it(`is whole whenever a build, pull, prune or rmi is killed (seed ${seed})`, { timeout: 60_000 + kills * 10_000 }, async () => {
    const below = random(seed);
    const contexts = [0, 1, 2].map(makeContext);
    const commands: readonly (() => readonly string[])[] = [
      () => {
        const n = below(3);
        return ["build", "-q", "--network", "none", "-t", `own-${n}`, contexts[n] ?? ""];
      },
      () => ["pull", "-q", `${registry.host}/team/app:v${1 + below(2)}`],
      () => ["prune", "-f", ...(below(3) === 0 ? ["--all"] : below(2) === 0 ? ["--keep-storage", "300k"] : [])],
      () => ["rmi", below(2) === 0 ? `own-${below(3)}` : `${registry.host}/team/app:v${1 + below(2)}`],
    ];
    let killed = 0;
    // How long each kind of command took when it was last let be, in milliseconds: most are killed before that, on a fast machine as on a slow one.
    const takesMs = new Map<string, number>();
    // What a command that was not killed has said to be there.
    const promised = new Set<string>(["busybox"]);
    for (let round = 0; round < kills; round++) {
      const words = commands[[0, 0, 1, 2, 2, 3][below(6)] ?? 0]?.() ?? [];
      const kind = words[0] ?? "";
      const afterSeconds = String((60 + below(takesMs.get(kind) ?? (kind === "build" ? 1000 : 300))) / 1000);
      const startMs = performance.now();
      const prefix = ["timeout", "--foreground", "--signal=KILL", afterSeconds];
      const { code, stderr } = await tsbuild(words, { store: root, env, prefix });
      const what = `round ${round}: ${words.join(" ")} killed after ${afterSeconds} s`;
      // rmi of what is not there fails.
      expect(words[0] === "rmi" ? [0, 1, 124, 137] : [0, 124, 137], `${what}: ${stderr}`).toContain(code);
      if (code === 137) killed++;
      else takesMs.set(kind, Math.ceil(performance.now() - startMs));
      const name = (words[0] === "build" ? words[words.indexOf("-t") + 1] : words.at(-1)) ?? "";
      if (words[0] === "rmi") {
        if (code === 1) expect([...promised], what).not.toContain(name);
        promised.delete(name);
      } else if (words[0] !== "prune" && code === 0) promised.add(name);
      expect(await namesIn(root), what).toEqual(expect.arrayContaining([...promised]));
      expect(await problemsIn(root), what).toEqual([]);
      await using store = await openStore(root);
      await collectGarbage(store);
      expect((await collectGarbage(store, { dryRun: true })).totalBytes, what).toBe(0);
      if (round % 10 === 9) expect(await leftAfterPrune(root), what).toEqual([]);
    }
    expect(killed).toBeGreaterThan(kills / 4);
    expect(transientFiles(root)).toEqual([]);
    const unharmed = temporaryStore();
    await importBusybox({ store: unharmed });
    expect(await filesWithoutImages(root)).toEqual(await filesWithoutImages(unharmed));
  });

  it("serves processes that build while others collect, and loses nothing", { timeout: 300_000 }, async () => {
    let building = true;
    const prune = async (...flags: string[]) => {
      let count = 0;
      for (; building; count++) await mustTsbuild(["prune", "-f", ...flags], { store: root });
      return count;
    };
    const pruning = Promise.all([prune("--all"), prune("--keep-storage", "100k")]);
    const results = await Promise.all(
      Array.from({ length: builders }, async (_, n) => {
        const failures: string[] = [];
        for (let round = 0; round < 3; round++) {
          const context = makeContext(n + round);
          const { code, stderr } = await tsbuild(["build", "-q", "--network", "none", "-t", `at-once-${n}-${round}`, context], {
            store: root,
            env,
          });
          if (code !== 0) failures.push(stderr);
        }
        return failures;
      }),
    );
    building = false;
    const counts = await pruning;
    expect(results.flat()).toEqual([]);
    expect(Math.min(...counts)).toBeGreaterThan(2);
    await using store = await openStore(root);
    const names = (await store.images.list()).flatMap((image) => image.names);
    for (let n = 0; n < builders; n++) for (let round = 0; round < 3; round++) expect(names).toContain(`at-once-${n}-${round}`);
    expect(await problemsIn(root)).toEqual([]);
    expect(await mustTsbuild(["run", "--rm", "at-once-3-2", "cat", "/mine"], { store: root })).toBe("5\n");
    expect(await leftAfterPrune(root)).toEqual([]);
    expect(await problemsIn(root)).toEqual([]);
  });
});

describe("an ordinary user", needs("root", "privateMounts", "userNamespaces", "subIds"), () => {
  it("gets back what belongs to other users of a user namespace, and is told that its store is whole", async () => {
    const user = createUser({ uid: 4815, subIds: true });
    const store = join(user.home, ".local/share/tsbuild");
    await importBusybox({ user });
    const RUN = "mkdir -p /closed/er && echo x > /closed/er/file && chown -R 5:6 /closed && chmod -R go= /closed";
    const context = contextDirectory({ Dockerfile: `FROM busybox\nRUN ${RUN}\n` });
    await mustTsbuild(["-q", "--network", "none", "-t", "app", context], { user });
    expect(await tsbuild(["verify"], { user })).toEqual({ code: 0, stdout: "", stderr: "the store is whole\n" });
    // What a killed build leaves.
    const dead = join(store, "v1/tmp/0123456789abcdef/run-1/upper");
    const leave = `mkdir -p ${dead} && echo x > ${dead}/file && chown -R 5:6 ${dead} && chmod 700 ${dead}`;
    expect((await asUser(user, ["unshare", "--map-auto", "--map-root-user", "sh", "-c", leave])).code).toBe(0);
    const freed = JSON.parse(await mustTsbuild(["prune", "--all", "--format", "json"], { user }));
    expect(freed.count.directories).toBeGreaterThan(0);
    expect([readdirSync(join(store, "v1/trash")), transientFiles(store)]).toEqual([[], []]);
    const { kinds } = JSON.parse(await mustTsbuild(["df", "--format", "json"], { user }));
    expect(kinds.filter((row: { bytes: number }) => row.bytes > 0).map((row: { kind: string }) => row.kind)).toEqual(["images", "other"]);
    expect(await mustTsbuild(["run", "--rm", "app", "cat", "/closed/er/file"], { user })).toBe("x\n");
  });
});
