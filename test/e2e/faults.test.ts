import { appendFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inParallel } from "../../store/in-parallel.ts";
import { random } from "../builder/dockerfile/random.ts";
import { busyboxTar } from "../support/bases.ts";
import { mustTsbuild, tsbuild } from "../support/cli.ts";
import { mustRun } from "../support/command.ts";
import { contextDirectory } from "../support/context.ts";
import { type FaultPlan, planFaults } from "../support/faults/faults.ts";
import { needs } from "../support/needs.ts";
import { fakeImage } from "../support/registry/fake-image.ts";
import { type FakeRegistry, startFakeRegistry } from "../support/registry/fake-registry.ts";
import { garbageLeftIn, namesIn, problemsIn } from "../support/store-health.ts";
import { removeDirectory, temporaryDirectory } from "../support/temporary.ts";

const seed = Number(process.env.TSBUILD_TEST_SEED ?? Date.now() % 1_000_000);
/** TSBUILD_TEST_FAULTS=all: every call fails in turn, in each of five ways, which takes an hour. Else so many in each way, chosen by the seed. */
const sample = process.env.TSBUILD_TEST_FAULTS === "all" ? Number.POSITIVE_INFINITY : Number(process.env.TSBUILD_TEST_FAULTS ?? 1);

const ways: readonly Omit<FaultPlan, "nth">[] = [
  { error: "EIO", of: "all" },
  { error: "EIO", of: "all", lasting: true },
  { error: "ENOSPC", of: "room" },
  { error: "ENOSPC", of: "room", lasting: true },
  // As a kernel makes a file system after an error of its own.
  { error: "EROFS", of: "all", lasting: true },
];

/** A command, and the store that it finds. */
interface Trial {
  readonly prepared: string;
  readonly words: readonly string[];
  /** Of the images that are named before and after. */
  readonly keeps: readonly string[];
  /** An image that is there when it succeeded, or is not. */
  readonly makes?: string;
  readonly removes?: string;
  /** The store is damaged before; whatever fails, a second try heals it. */
  readonly repairs?: true;
  readonly env?: Readonly<Record<string, string>>;
}

/** The base of which each file costs calls: it has few. */
async function smallBase(directory: string): Promise<string> {
  const root = join(directory, "root");
  mkdirSync(join(root, "etc"), { recursive: true });
  await mustRun(["tar", "-xf", busyboxTar(), "-C", root, "./bin/busybox"]).catch(() =>
    mustRun(["tar", "-xf", busyboxTar(), "-C", root, "bin/busybox"]),
  );
  for (const name of ["sh", "mkdir", "rm", "cat"]) await mustRun(["ln", "-s", "busybox", join(root, "bin", name)]);
  writeFileSync(join(root, "etc/shadow"), "root:*:::::::\n");
  const tar = join(directory, "base.tar");
  await mustRun(["tar", "-cf", tar, "-C", root, "."]);
  return tar;
}

/** Something of every kind that verify names: an image that cannot be made whole, and beside it what can be made again. */
function damage(store: string): void {
  const inStore = (...names: string[]) => join(store, ...names);
  const listed = JSON.parse(readFileSync(inStore("index.json"), "utf8")).manifests as { digest: string; annotations: object }[];
  const app = listed.find(({ annotations }) => Object.values(annotations).includes("docker.io/library/app:latest"));
  if (app === undefined) throw new Error("no image app is listed");
  const manifest = JSON.parse(readFileSync(inStore("blobs/sha256", app.digest.slice(7)), "utf8"));
  appendFileSync(inStore("blobs/sha256", manifest.config.digest.slice(7)), " ");
  writeFileSync(inStore("blobs/sha256/stray"), "no blob");
  const layers = readdirSync(inStore("v1/layers"));
  const unpacked = layers.filter((name) => existsSync(inStore("v1/layers", name, "dir/fs")));
  for (const name of layers.slice(0, 1)) truncateSync(inStore("v1/layers", name, "tree"), 20);
  for (const name of layers.slice(1, 2)) truncateSync(inStore("v1/layers", name, "info"), 20);
  for (const name of unpacked) writeFileSync(inStore("v1/layers", name, "dir/fs/more"), "");
  expect([layers.length > 1, unpacked.length > 0]).toEqual([true, true]);
  const fan = readdirSync(inStore("v1/steps")).find((name) => name.length === 2) ?? "";
  for (const name of readdirSync(inStore("v1/steps", fan))) truncateSync(inStore("v1/steps", fan, name), 80);
  truncateSync(inStore("v1/containers/work/container.json"), 20);
}

/** One sentence with a place in the store, a code and a hint; none of the program's own lines. */
function checkMessage(stderr: string, store: string, { error }: Pick<FaultPlan, "error">): void {
  const code = error === undefined ? "" : { EIO: "STORE_FAILING", ENOSPC: "STORE_FULL", EROFS: "STORE_READ_ONLY" }[error];
  expect(stderr.match(/^.*\berror: .*$/gm)).toEqual([expect.stringMatching(new RegExp(`error: .*${store}.* \\[${code}\\]$`))]);
  expect(stderr).toContain(`${error}: `);
  expect(stderr).toMatch(/^ {2}hint: ./m);
  expect(stderr).not.toMatch(/internal error|^ {4}at /m);
}

describe("a store whose disk fails", needs("root", "privateMounts"), () => {
  let directory: string;
  let registry: FakeRegistry;
  const trials = new Map<string, Trial>();
  const env = { SOURCE_DATE_EPOCH: "0" };

  beforeAll(async () => {
    directory = temporaryDirectory("faults");
    registry = await startFakeRegistry();
    const layers = [{ "a/file": "a".repeat(3000), "a/other": "b" }, { c: "c".repeat(200_000) }];
    registry.putImage("team/app", "v1", await fakeImage({ layers }));
    const context = contextDirectory({
      Dockerfile: "FROM base\nCOPY file /copied/\nRUN mkdir /x && cat /copied/file > /x/y && rm /etc/shadow\n",
      file: "file\n",
    });
    const base = join(directory, "base");
    await mustTsbuild(["import", "--change", "ENV PATH=/bin", await smallBase(directory), "base"], { store: base });
    const build = ["build", "-q", "--network", "none", "-t", "app", context];
    const built = join(directory, "built");
    cpSync(base, built, { recursive: true, verbatimSymlinks: true });
    await mustTsbuild(build, { store: built, env });
    const archive = join(directory, "app.tar");
    await mustTsbuild(["save", "app", "-o", archive], { store: built });
    const unnamed = join(directory, "unnamed");
    await mustRun(["cp", "-a", built, unnamed]);
    await mustTsbuild(["rmi", "app"], { store: unnamed });
    const kept = join(directory, "kept");
    await mustRun(["cp", "-a", built, kept]);
    await mustTsbuild(["run", "--keep", "work", "--network", "none", "app", "mkdir", "/made"], { store: kept });
    const damaged = join(directory, "damaged");
    await mustRun(["cp", "-a", kept, damaged]);
    damage(damaged);
    mkdirSync(join(directory, "limits/tsbuild"), { recursive: true });
    writeFileSync(join(directory, "limits/tsbuild/tsbuild.toml"), '[store]\nmax_size = "1k"\n');
    const limits = { XDG_CONFIG_HOME: join(directory, "limits") };
    const pulled = `${registry.host}/team/app:v1`;
    const all: readonly (readonly [string, Trial])[] = [
      ["build", { prepared: base, words: build, keeps: ["base"], makes: "app" }],
      ["pull", { prepared: base, words: ["pull", "-q", pulled], keeps: ["base"], makes: pulled }],
      ["prune", { prepared: unnamed, words: ["prune", "-f", "--all"], keeps: ["base"] }],
      ["rmi", { prepared: built, words: ["rmi", "app"], keeps: ["base"], removes: "app" }],
      ["load", { prepared: base, words: ["load", archive], keeps: ["base"], makes: "app" }],
      ["import", { prepared: base, words: ["import", join(directory, "base.tar"), "second"], keeps: ["base"], makes: "second" }],
      ["commit", { prepared: kept, words: ["commit", "work", "committed"], keeps: ["base", "app"], makes: "committed" }],
      ["verify --repair", { prepared: damaged, words: ["verify", "--repair"], keeps: ["base"], removes: "app", repairs: true }],
      ["build within limits", { prepared: unnamed, words: build, keeps: ["base"], makes: "app", env: limits }],
    ];
    for (const [name, trial] of all) trials.set(name, trial);
  });
  afterAll(() => registry.close());

  async function onCopy<T>({ prepared }: Trial, use: (store: string) => Promise<T>): Promise<T> {
    const parent = temporaryDirectory("faulty");
    const store = join(parent, "store");
    await mustRun(["cp", "-a", prepared, store]);
    const result = await use(store);
    removeDirectory(parent);
    return result;
  }

  /** The calls of the command where nothing fails. */
  const countCalls = (trial: Trial) =>
    onCopy(trial, async (store) => {
      const faults = planFaults(store, { of: "all" });
      const { code, stderr } = await tsbuild(trial.words, { store, env: { ...env, ...trial.env, ...faults.env } });
      expect([code, stderr.match(/^error: /m)], stderr).toEqual([trial.repairs === true ? 1 : 0, null]);
      return faults.calls();
    });

  /** Whoever says that it succeeded has done it. */
  async function checkDone({ makes, removes }: Trial, store: string, names: readonly string[]): Promise<void> {
    if (removes !== undefined) expect(names).not.toContain(removes);
    if (makes === undefined) return;
    expect(names).toContain(makes);
    await mustTsbuild(["save", makes, "-o", join(temporaryDirectory("saved"), "image.tar")], { store });
  }

  /** With a second try at the latest; what is of value is still there. */
  async function checkRepaired(store: string): Promise<void> {
    const again = await tsbuild(["verify", "--repair"], { store, env });
    expect(again.stderr).not.toMatch(/^error: /m);
    expect(await mustTsbuild(["verify"], { store })).toBe("");
    expect(existsSync(join(store, "v1/containers/work/upper/made"))).toBe(true);
    await mustTsbuild(["save", "base", "-o", join(temporaryDirectory("saved"), "image.tar")], { store });
    await mustTsbuild(["rm", "work"], { store });
  }

  /** How many calls failed. */
  async function runWithFault(trial: Trial, plan: FaultPlan): Promise<number> {
    return onCopy(trial, async (store) => {
      const faults = planFaults(store, plan);
      const { code, stderr } = await tsbuild(trial.words, { store, env: { ...env, ...trial.env, ...faults.env } });
      const failed = faults.calls().map(({ text }) => text);
      const what = `${trial.words[0]}, ${JSON.stringify(plan)}: ${failed.slice(0, 3).join("; ")}\n${stderr}`;
      try {
        expect([0, 1]).toContain(code);
        // Damage that was repaired is told in the exit code too.
        const isDone = code === 0 || (trial.repairs === true && /repaired$/m.test(stderr));
        if (!isDone) checkMessage(stderr, store, plan);
        if (isDone || trial.repairs !== true) expect(await problemsIn(store)).toEqual([]);
        const names = await namesIn(store);
        for (const name of trial.keeps) expect(names).toContain(name);
        if (isDone) await checkDone(trial, store, names);
        if (trial.repairs === true) await checkRepaired(store);
        // rmi of a name that is gone is an error as it ever was.
        if (trial.repairs !== true && (trial.words[0] !== "rmi" || names.includes("app"))) {
          const again = await tsbuild(trial.words, { store, env });
          expect(again.code, again.stderr).toBe(0);
        }
        expect(await garbageLeftIn(store)).toEqual([]);
        expect(await problemsIn(store)).toEqual([]);
      } catch (error) {
        throw new Error(`${what}\n${(error as Error).message}`, { cause: error });
      }
      return failed.length;
    });
  }

  it.each(["build", "pull", "prune", "rmi", "load", "import", "commit", "verify --repair", "build within limits"])(
    `says so and loses nothing: %s (seed ${seed})`,
    { timeout: 7_200_000 },
    async (name) => {
      const trial = trials.get(name);
      if (trial === undefined) throw new Error(`no trial ${name}`);
      const below = random(seed);
      const calls = await countCalls(trial);
      const plans = ways.flatMap((way) => {
        const { length } = calls.filter(({ room }) => way.of === "all" || room);
        expect(length).toBeGreaterThan(2);
        const numbers = Array.from({ length: Math.min(sample, length) }, (_, i) => (sample < length ? below(length) : i) + 1);
        return numbers.map((nth) => ({ ...way, nth }));
      });
      const failures: string[] = [];
      const failed = await inParallel(plans, 2, (plan) =>
        runWithFault(trial, plan).catch((error: Error) => {
          failures.push(error.message);
          return 0;
        }),
      );
      expect(failures, `${failures.length} of ${plans.length}`).toEqual([]);
      // Otherwise the faults did not reach the program.
      expect(Math.max(...failed)).toBeGreaterThan(0);
    },
  );
});
