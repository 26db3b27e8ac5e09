import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { busyboxTar, importBusybox } from "../support/bases.ts";
import { temporaryStore, tsbuild } from "../support/cli.ts";
import { type CommandResult, mustRun } from "../support/command.ts";
import { contextDirectory } from "../support/context.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { createUser } from "../support/users.ts";

const template = temporaryStore();

/** How a copy of the store is put on a small file system of its own ($1: its directory, $2: the store that is copied), for one command. */
const PLACES = {
  full: 'dd if=/dev/zero of="$1/fill" bs=4096 2>/dev/null || true',
  "but for a page full": 'dd if=/dev/zero of="$1/fill" bs=4096 2>/dev/null || true; truncate -s -4096 "$1/fill"',
  "read-only": 'mount -o remount,ro "$1"',
  roomy: "true",
} as const;

/** Runs one command with a store there; `after` are commands of a shell with that store in $TSBUILD_ROOT, whose output is added. */
function onStore(place: keyof typeof PLACES, args: readonly string[], after = ":", from = template): Promise<CommandResult> {
  const directory = temporaryDirectory("small");
  const script = `mount -t tmpfs -o size=12m none "$1"; cp -a "$2" "$1/store"; ${PLACES[place]}
    shift 2; code=0; "$@" || code=$?; ${after}; exit $code`;
  const prefix = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", script, "sh", directory, from];
  return tsbuild(args, { store: join(directory, "store"), prefix }).then(({ code, stdout, stderr }) => ({
    code,
    stdout: stdout.replaceAll(directory, "SMALL"),
    stderr: stderr.replaceAll(directory, "SMALL"),
  }));
}

function copyOfTemplate(): string {
  const store = temporaryStore();
  cpSync(template, store, { recursive: true });
  return store;
}

const index = 'cat "$TSBUILD_ROOT/index.json"; ls "$TSBUILD_ROOT/v1/leases" "$TSBUILD_ROOT/v1/tmp" | wc -w';

function expectRead([command]: readonly string[], { code, stderr }: CommandResult): void {
  expect([code, stderr]).toEqual([0, command === "verify" ? "the store is whole\n" : ""]);
}

describe("a store that cannot be written to", needs("root", "privateMounts"), () => {
  let context: string;
  beforeAll(async () => {
    await importBusybox({ store: template });
    context = contextDirectory({
      Dockerfile: "FROM busybox\nLABEL a=b\nCOPY big /big\n",
      Run: "FROM busybox\nRUN head -c 20000000 /dev/zero > /big\n",
      big: "x".repeat(16 << 20),
    });
  });

  describe.each(["full", "read-only"] as const)("%s", (place) => {
    it.each([[["images"]], [["inspect", "busybox"]], [["history", "busybox"]], [["save", "busybox"]]])("is read by %j", async (args) => {
      const expected = await tsbuild(args, { store: template });
      expect(expected.code).toBe(0);
      expect(await onStore(place, args)).toEqual(expected);
    });

    it("is one row of info, and the rest is found out all the same", async () => {
      const { code, stdout, stderr } = await onStore(place, ["info", "--format", "json"]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const { probes } = JSON.parse(stdout);
      expect(probes[0]).toMatchObject({ name: "store", ok: false, detail: expect.stringMatching(/^using the store SMALL\/store: E/) });
      expect(probes.find(({ name }: { name: string }) => name === "overlay").ok).toBe(true);
    });

    const [code, hint] =
      place === "full" ? ["STORE_FULL", "make room on its file system"] : ["STORE_READ_ONLY", "mount its file system writable"];
    it.each<[args: readonly string[], exitCode: number]>([
      [["tag", "busybox", "other"], 1],
      ...(place === "full" ? [] : [[["rmi", "busybox"], 1] as [args: readonly string[], exitCode: number]]),
      [["run", "busybox", "true"], 125],
      [["import", busyboxTar(), "x"], 1],
      ...(place === "full" ? [] : [[["prune", "-f"], 1] as [args: readonly string[], exitCode: number]]),
    ])(`refuses %j in one sentence (${code})`, async (args, exitCode) => {
      const result = await onStore(place, args, index);
      expect(result.code).toBe(exitCode);
      const [error = "", second = "", ...others] = result.stderr.trimEnd().split("\n");
      expect(error).toMatch(new RegExp(`^error: .*the store SMALL/store: E[A-Z]+: .* \\[${code}\\]$`));
      expect(second).toContain(`  hint: ${hint}`);
      expect(others).toEqual([]);
      // The list of images is what it was, and nothing is left.
      expect(result.stdout).toContain('"io.containerd.image.name":"docker.io/library/busybox:latest"');
      expect(result.stdout).toMatch(/\b2\n$/);
    });
  });

  describe("is read by what only reads", () => {
    const commands = [
      ["images"],
      ["inspect", "busybox"],
      ["history", "busybox"],
      ["diff", "busybox", "busybox"],
      ["df"],
      ["verify"],
      ["save", "busybox", "-o", "/dev/null"],
      ["export", "busybox", "-o", "/dev/null"],
    ].map((args) => [args] as const);

    it.each(commands)("mounted read-only: %j", async (args) => {
      expectRead(args, await onStore("read-only", args));
    });

    it.each([[["build", "--check"]], [["build", "--dry-run"]]])("mounted read-only: %j", async (args) => {
      const { code, stderr } = await onStore("read-only", [...args, context]);
      expect([code, stderr]).toEqual([0, expect.not.stringContaining("error")]);
    });

    it.each(commands)("of root's, as an ordinary user: %j", async (args) => {
      const store = copyOfTemplate();
      await mustRun(["chmod", "-R", "a+rX", store]);
      expectRead(args, await tsbuild(args, { store, user: createUser({ uid: 4713, subIds: false }) }));
    });
  });

  it("says so at the line of the Dockerfile that found out", async () => {
    const { code, stderr } = await onStore("roomy", ["--progress", "quiet", context]);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^\S*\/Dockerfile:3:1: error: writing a layer .* and the file system of the store SMALL\/store has room for \d+ \[STORE_FULL\]\n {4}3 │ COPY big \/big\n/,
    );
    expect(stderr).toContain("\n  hint: make room on its file system");
    expect(stderr).not.toMatch(/internal error|\n {4}at /);
  });

  it("is said of a command that filled it, which saw less", async () => {
    const { code, stderr } = await onStore("roomy", ["--progress", "quiet", "-f", join(context, "Run"), context]);
    expect(code).toBe(1);
    expect(stderr).toContain("exit code 1 [STEP_FAILED]");
    expect(stderr).toContain(
      "\n  hint: the file system of the store SMALL/store is full: make room, or use another store with --store DIR\n",
    );
  });

  it("is said of a container that filled it, too", async () => {
    const { code, stderr } = await onStore("roomy", ["run", "busybox", "sh", "-c", "head -c 20000000 /dev/zero >/big"]);
    expect(code).toBe(1);
    expect(stderr).toContain("note: the file system of the store SMALL/store is full: make room, or use another store with --store DIR\n");
  });

  it.each(["but for a page full", "full"] as const)("%s, it lets an image go", async (place) => {
    const { code, stdout, stderr } = await onStore(place, ["rmi", "busybox"], index);
    expect([code, stderr]).toEqual([0, expect.not.stringContaining("error")]);
    expect(stdout).toMatch(/^untagged busybox\nremoved sha256:[0-9a-f]{64}\n\{"manifests":\[\],.*\b2\n$/s);
  });

  it("full, it lets an image without a name go with all cache, and keeps room for a list again", async () => {
    const store = copyOfTemplate();
    expect(
      (await tsbuild(["--progress", "quiet", contextDirectory({ Dockerfile: "FROM busybox\nCOPY Dockerfile /\n" })], { store })).code,
    ).toBe(0);
    const { code, stdout } = await onStore("full", ["prune", "--all"], 'wc -c <"$TSBUILD_ROOT/v1/spare"', store);
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/^removed the image without a name sha256:[0-9a-f]{64}\n.*\ntotal .*\n4096\n$/s),
    ]);
  });

  it("full, it is verified, and repaired where something only has to go", async () => {
    expectRead(["verify"], await onStore("full", ["verify"]));
    const store = copyOfTemplate();
    const { imageId } = JSON.parse((await tsbuild(["inspect", "busybox"], { store })).stdout);
    writeFileSync(join(store, "blobs/sha256", imageId.slice(7)), "{}");
    const { code, stdout } = await onStore("full", ["verify", "--repair"], index, store);
    expect([code, stdout]).toEqual([
      1,
      expect.stringMatching(/\nremoved the image busybox: pull or build it again\n\{"manifests":\[\],.*\b2\n$/s),
    ]);
  });

  it("cannot become one: read-only, or no directory", async () => {
    const made = await tsbuild(["load"], { store: "/proc/none/store" });
    expect([made.code, made.stderr]).toEqual([1, expect.stringContaining("opening the store /proc/none/store: ENOENT: ")]);
    expect(made.stderr).toContain("[STORE_INACCESSIBLE]\n  hint: choose another directory with --store DIR or $TSBUILD_ROOT\n");
    const directory = temporaryDirectory("small");
    mkdirSync(join(directory, "there"));
    const script = 'mount -t tmpfs -o ro none "$1"; shift; exec "$@"';
    const prefix = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", script, "sh", join(directory, "there")];
    const { code, stderr } = await tsbuild(["load"], { store: join(directory, "there/a/b"), prefix });
    expect([code, stderr]).toEqual([1, expect.stringContaining(`opening the store ${directory}/there/a/b: EROFS: `)]);
    expect(stderr).toContain("[STORE_READ_ONLY]\n  hint: mount its file system writable");
  });
});

describe("what save writes to", () => {
  it("is named where it cannot be written", async () => {
    await importBusybox({ store: template });
    const directory = join(temporaryDirectory("save"), "no");
    const { code, stderr } = await tsbuild(["save", "busybox", "-o", join(directory, "app.tar")], { store: template });
    const message = `error: saving to ${directory}/app.tar: there is no directory ${directory} [WRITE_FAILED]\n  hint: make it first\n`;
    expect([code, stderr]).toEqual([1, message]);
  });
});
