import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { busyboxTar, importBusybox } from "../support/bases.ts";
import { mustTsbuild, temporaryStore, tsbuild } from "../support/cli.ts";
import { type CommandResult, mustRun } from "../support/command.ts";
import { contextDirectory } from "../support/context.ts";
import { type FaultPlan, planFaults } from "../support/faults/faults.ts";
import { needs } from "../support/needs.ts";
import { fakeImage } from "../support/registry/fake-image.ts";
import { type FakeRegistry, startFakeRegistry } from "../support/registry/fake-registry.ts";
import { garbageLeftIn, problemsIn } from "../support/store-health.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const hint = "  hint: put it on a file system of Linux's own (ext4, xfs, btrfs, tmpfs): --store DIR or $TSBUILD_ROOT\n";

function makeContext(): string {
  return contextDirectory({
    Dockerfile:
      "FROM busybox AS made\nRUN mkdir /x && echo x > /x/y && rm /etc/shadow\nFROM busybox\nCOPY file /file\nCOPY --from=made /x /x\n",
    Copy: "FROM busybox\nCOPY file /x/y\n",
    file: "x\n",
  });
}

/** A store's life on what `mount` puts on `$1`, in a mount namespace of its own: import, build by this Dockerfile, save, rmi, load, prune, verify. */
function liveThrough(mount: string, dockerfile: string): Promise<CommandResult> {
  const directory = temporaryDirectory("odd");
  for (const name of ["lower", "upper", "work", "place"]) mkdirSync(join(directory, name));
  const script = `cd "$1"; ${mount}; TSBUILD_ROOT=$1/place/store; export TSBUILD_ROOT; tar=$2 context=$3; shift 3
    "$@" import --change "ENV PATH=/bin:/usr/bin" "$tar" busybox >imported
    "$@" build -q --network none -f "$context/${dockerfile}" -t app "$context" >built
    "$@" save app -o app.tar; "$@" rmi app >removed 2>&1; "$@" load app.tar >loaded
    "$@" export app -o - | tar -xO x/y
    "$@" prune -f --all >freed; "$@" verify`;
  return tsbuild([], {
    prefix: ["unshare", "--mount", "--propagation", "private", "sh", "-ec", script, "sh", directory, busyboxTar(), makeContext()],
  });
}

const whole = { code: 0, stdout: "x\n", stderr: "the store is whole\n" };

type Refused = NonNullable<FaultPlan["refused"]>;

describe("a store lives on", needs("root", "privateMounts"), () => {
  it("tmpfs", async () => {
    expect(await liveThrough("mount -t tmpfs none place", "Dockerfile")).toEqual(whole);
  });

  it("ext4", needs("loopMounts"), async () => {
    const mount = "truncate -s 64M image; mkfs.ext4 -q image; mount -o loop image place";
    expect(await liveThrough(mount, "Dockerfile")).toEqual(whole);
  });

  it("overlay, where steps without RUN are built", async () => {
    const mount =
      "mount -t tmpfs none work; mkdir work/upper work/work; mount -t overlay -o lowerdir=lower,upperdir=work/upper,workdir=work/work none place";
    expect(await liveThrough(mount, "Copy")).toEqual(whole);
  });
});

describe("a file system that has", needs("root", "privateMounts"), () => {
  let prepared: string;
  beforeAll(async () => {
    prepared = temporaryStore();
    await importBusybox({ store: prepared });
  });

  const onFileSystem = (store: string, refused: Refused, args: readonly string[]) =>
    tsbuild(args, { store, env: planFaults(store, { of: "all", refused }).env });

  it.each<[name: string, refused: Refused, why: string]>([
    ["no locks, as NFS without its lock service", { flock: "ENOLCK" }, "ENOLCK: no locks available, flock"],
    ["locks of another kind only", { flock: "EOPNOTSUPP" }, "ENOTSUP: operation not supported on socket, flock"],
    [
      "no locks of bytes, as an old server",
      { fcntl: "ENOLCK" },
      "its file system has no locks of ranges of bytes: ENOLCK: no locks available, fcntl",
    ],
    [
      "no locks of bytes, as an old kernel",
      { fcntl: "EINVAL" },
      "its file system has no locks of ranges of bytes: EINVAL: invalid argument, fcntl",
    ],
    ["no hard links, as vfat", { link: "EPERM" }, "its file system has no hard links: EPERM: operation not permitted, link"],
    ["no symbolic links, as exfat", { symlink: "EPERM" }, "its file system has no symbolic links: EPERM: operation not permitted, symlink"],
  ])("%s is refused before there is a store", async (_name, refused, why) => {
    const store = temporaryDirectory("unsuitable");
    const { code, stderr } = await onFileSystem(store, refused, ["load"]);
    const [first = "", ...others] = stderr.split("\n");
    expect({ code, others: others.join("\n") }).toEqual({ code: 1, others: hint });
    expect(first.startsWith(`error: opening the store ${store}: ${why}`), first).toBe(true);
    expect(first).toMatch(/ \[STORE_UNSUITABLE\]$/);
    expect(readdirSync(store)).not.toContain("oci-layout");
  });

  it("no locks any more, where the store was moved to, is named", async () => {
    const { code, stderr } = await onFileSystem(prepared, { flock: "ENOLCK" }, ["tag", "busybox", "other"]);
    expect([code, stderr]).toEqual([
      1,
      `error: using the store ${prepared}: ENOLCK: no locks available, flock [STORE_UNSUITABLE]\n${hint}`,
    ]);
  });

  it("no locks of bytes any more, where the store was moved to, is named", async () => {
    const { code, stderr } = await onFileSystem(prepared, { fcntl: "ENOLCK" }, ["build", "-q", "--network", "none", makeContext()]);
    expect(code).toBe(1);
    expect(stderr).toContain(`using the store ${prepared}: ENOLCK: no locks available, fcntl [STORE_UNSUITABLE]\n`);
    expect(stderr).toContain(hint);
  });

  it.each<[name: string, refused: Refused]>([
    ["no way to rename without replacing, as NFS", { renameat2: "EINVAL" }],
    ["no copies of its own", { copy_file_range: "EOPNOTSUPP", sendfile64: "EINVAL" }],
    ["no attributes of files", { setxattr: "EOPNOTSUPP", lsetxattr: "EOPNOTSUPP", fsetxattr: "EOPNOTSUPP" }],
  ])("%s does for a build", async (_name, refused) => {
    const store = temporaryStore();
    await mustRun(["cp", "-a", prepared, store]);
    const { code, stderr } = await onFileSystem(store, refused, ["build", "-q", "--network", "none", "-t", "app", makeContext()]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(await mustTsbuild(["run", "--rm", "app", "cat", "/x/y"], { store })).toBe("x\n");
    expect([await problemsIn(store), await garbageLeftIn(store)]).toEqual([[], []]);
  });
});

describe("a limit of open files", needs("root", "privateMounts"), () => {
  let prepared: string;
  let registry: FakeRegistry;
  beforeAll(async () => {
    prepared = temporaryStore();
    await importBusybox({ store: prepared });
    registry = await startFakeRegistry();
    registry.putImage("team/app", "v1", await fakeImage({ layers: [{ a: "a" }, { b: "b" }, { c: "c" }] }));
  });
  afterAll(() => registry.close());

  // Node itself does not start with fewer than some twenty.
  it.each([26, 30, 36, 48])("of %i is named where it stops a command, which loses nothing", async (limit) => {
    const prefix = ["sh", "-c", 'ulimit -n "$1"; shift; exec "$@"', "sh", String(limit)];
    const store = temporaryStore();
    await mustRun(["cp", "-a", prepared, store]);
    let failures = 0;
    for (const args of [
      ["build", "-q", "--network", "none", "-t", "app", makeContext()],
      ["pull", "-q", `${registry.host}/team/app:v1`],
      ["prune", "-f"],
      ["images", "-q"],
    ]) {
      const { code, stderr } = await tsbuild(args, { store, prefix });
      if (code === 0) {
        if (args[0] === "build") expect(await mustTsbuild(["run", "--rm", "app", "cat", "/x/y"], { store })).toBe("x\n");
        continue;
      }
      failures++;
      expect([code, stderr]).toEqual([
        1,
        expect.stringMatching(/\[TOO_MANY_FILES\]\n(.*│.*\n.*╵.*\n)?.*hint: raise this process's limit of open files: ulimit -n 65536\n$/),
      ]);
      expect(stderr.match(/\berror: /g)).toHaveLength(1);
    }
    // The lowest stops something: otherwise nothing was tried.
    if (limit === 26) expect(failures).toBeGreaterThan(0);
    expect([await problemsIn(store), await garbageLeftIn(store)]).toEqual([[], []]);
  });
});
