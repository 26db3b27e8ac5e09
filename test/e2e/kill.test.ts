import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { random } from "../builder/dockerfile/random.ts";
import { importBusybox } from "../support/bases.ts";
import { type CliOptions, mustTsbuild, tsbuild } from "../support/cli.ts";
import { mustRun } from "../support/command.ts";
import { contextDirectory } from "../support/context.ts";
import { checkLayout, readLayoutImage, transientFiles } from "../support/layout.ts";
import { goneWithin, mountPoints, processesWith, tsbuildCgroups } from "../support/leftovers.ts";
import { needs } from "../support/needs.ts";
import { removeDirectory, temporaryDirectory } from "../support/temporary.ts";
import { asUser, createUser, type TestUser } from "../support/users.ts";

/** A number that only the processes of this test's RUN steps have in their command lines. */
const MARK = String(300_000 + (process.pid % 100_000));

// Each RUN leaves a daemon behind, in a session of its own, that does not mind a polite signal.
const daemon = `(setsid sh -c 'trap "" TERM HUP; sleep ${MARK}; :' > /dev/null 2>&1 &)`;

function makeContext(): string {
  return contextDirectory({
    Dockerfile: `FROM busybox AS one
COPY a /a
RUN ${daemon}; cat /a/* | md5sum > /one; rm -r /a; rm /etc/shadow
WORKDIR /deep/er
FROM busybox AS two
RUN ${daemon}; mkdir -p /two/x && for i in 1 2 3 4 5 6 7 8 9; do echo $i > /two/x/$i; done; sleep 0.1
RUN ${daemon}; rm -r /two/x && mkdir /two/x && ln /etc/passwd /two/x/linked && sleep 0.1
FROM busybox
COPY --from=one /one /one
COPY --from=two --chown=5:6 /two /two
RUN ${daemon}; cat /one /two/x/linked > /three
COPY a/file-7 /
`,
    ...Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`a/file-${i}`, `${i}\n`.repeat(1 + 97 * i)])),
  });
}

const seed = Number(process.env.TSBUILD_TEST_SEED ?? Date.now() % 1_000_000);

const ROWS = [
  { who: "root", rounds: 18, makeUser: () => undefined },
  { who: "an ordinary user", rounds: 8, makeUser: () => createUser({ uid: 4811, subIds: true }) },
] as const;

describe.each(ROWS)("a build by $who that is killed at any moment", needs("root", "privateMounts", "userNamespaces", "subIds"), (row) => {
  let place: string;
  let context: string;
  let user: TestUser | undefined;
  let undisturbed: { readonly imageId: string; readonly diffIds: readonly string[] };
  let durationMs: number;
  let killed = 0;

  const cliOptions = (store: string): CliOptions => ({
    store,
    env: { SOURCE_DATE_EPOCH: "0" },
    ...(user === undefined ? {} : { user }),
  });
  // With limits, so that there are groups to be left behind.
  const limits = row.who === "root" && !needs("cgroups").skip ? ["--memory", "256m", "--pids-limit", "100"] : [];
  const args = () => ["build", "--progress", "plain", "--network", "none", ...limits, "-t", "app", context];
  const imageOf = (store: string) => {
    const { imageId, config } = readLayoutImage(store, "app");
    return { imageId, diffIds: config.rootfs.diff_ids };
  };
  const shell = async (...argv: [string, ...string[]]) => {
    if (user === undefined) return mustRun(argv);
    const { code, stderr } = await asUser(user, argv);
    expect(code, stderr).toBe(0);
  };
  /** A store that has the base and one image, and was never built in otherwise. */
  const freshStore = async (name: string) => {
    const store = join(place, name);
    await shell("cp", "-a", join(place, "prepared"), store);
    return store;
  };

  beforeAll(async () => {
    context = makeContext();
    user = row.makeUser();
    place = user === undefined ? temporaryDirectory("kill") : join(user.home, "stores");
    await shell("mkdir", "-p", place);
    await importBusybox(cliOptions(join(place, "prepared")));
    const store = await freshStore("undisturbed");
    const started = Date.now();
    let ended = false;
    let seen: readonly string[] = [];
    const building = mustTsbuild(args(), cliOptions(store)).finally(() => {
      ended = true;
    });
    while (!ended) {
      const found = processesWith(MARK);
      if (found.length > 0) seen = found;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await building;
    durationMs = Date.now() - started;
    // Otherwise the search for what is left could find nothing.
    expect(seen.join("\n")).toContain(`sleep ${MARK}`);
    undisturbed = imageOf(store);
  });

  // Otherwise the builds had all ended before their time.
  afterAll(() => expect(killed).toBeGreaterThan(row.rounds / 3));

  it.each(Array.from({ length: row.rounds }, (_, i) => i))(
    `leaves nothing running and a store as good as new (seed ${seed}, round %i)`,
    async (round) => {
      const below = random(seed * 100 + round);
      const store = await freshStore(`round-${round}`);
      const made = new Set<string>();
      const before = { mounts: mountPoints(), cgroups: tsbuildCgroups() };
      // The second time the cache has some of the steps.
      const kills = 1 + below(2);
      for (let kill = 0; kill < kills; kill++) {
        const afterSeconds = String((30 + below(Math.ceil(durationMs * 1.05))) / 1000);
        // Without --foreground it would kill the whole process group, which is not what happens when someone kills one process.
        const prefix = ["timeout", "--foreground", "--signal=KILL", afterSeconds];
        const started = Date.now();
        const { code, stderr } = await tsbuild(args(), { ...cliOptions(store), prefix });
        // 124: it ended while its time ran out.
        expect([0, 124, 137], `${afterSeconds} s: ${stderr}`).toContain(code);
        if (code === 137) killed += 1;
        // The machine has less to do than when the first one was timed; what the cache shortens does not count.
        else if (kill === 0) durationMs = Math.min(durationMs, Date.now() - started);
        for (const path of tsbuildCgroups()) if (!before.cgroups.includes(path)) made.add(path);
        expect(await goneWithin(10_000, () => [...processesWith(MARK), ...processesWith(store)]), "processes").toEqual([]);
        expect(mountPoints(), "mounts").toEqual(before.mounts);
        const { names, damage } = checkLayout(store);
        expect(damage).toEqual([]);
        expect(names).toEqual(code !== 137 || names.includes("app") ? ["app", "busybox"] : ["busybox"]);
        if (names.includes("app")) expect(imageOf(store)).toEqual(undisturbed);
      }
      const next = await tsbuild(args(), cliOptions(store));
      expect(next.code, next.stderr).toBe(0);
      expect(imageOf(store)).toEqual(undisturbed);
      expect(transientFiles(store)).toEqual([]);
      // Whoever makes the next group removes those of the dead. Other test files make groups too, but none that stays.
      if (made.size > 0) await mustTsbuild(["run", "--rm", ...limits, "app", "true"], cliOptions(store));
      expect(await goneWithin(20_000, () => tsbuildCgroups().filter((path) => made.has(path))), "cgroups").toEqual([]);
      removeDirectory(store);
    },
  );
});
