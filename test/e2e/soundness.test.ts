import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { busyboxTar, importBusybox } from "../support/bases.ts";
import { mustTsbuild, temporaryStore, tsbuild } from "../support/cli.ts";
import { mustRun } from "../support/command.ts";
import { contextDirectory } from "../support/context.ts";
import { readLayoutImage } from "../support/layout.ts";
import { needs } from "../support/needs.ts";
import { ranSteps } from "../support/progress.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { createUser } from "../support/users.ts";

function build(store: string, context: string, options: { name?: string; epoch?: string; prefix?: readonly string[] } = {}) {
  return tsbuild(["build", "--progress", "plain", "--network", "none", "-t", options.name ?? "app", context], {
    store,
    ...(options.epoch === undefined ? {} : { env: { SOURCE_DATE_EPOCH: options.epoch } }),
    ...(options.prefix === undefined ? {} : { prefix: options.prefix }),
  });
}

async function mustBuild(...parameters: Parameters<typeof build>): Promise<string> {
  const { code, stderr } = await build(...parameters);
  expect(code, stderr).toBe(0);
  return stderr;
}

function identity(store: string) {
  const { imageId, config } = readLayoutImage(store, "app");
  return { imageId, diffIds: config.rootfs.diff_ids };
}

describe("an epoch", needs("sandbox"), () => {
  const context = () =>
    contextDirectory({
      Dockerfile: `FROM busybox AS maker
RUN mkdir /made && echo made > /made/file
FROM busybox
WORKDIR /new/dir
COPY file /copied/file
ADD archive.tar /added/
COPY --from=maker /made /made
RUN echo ran > /ran && rm /etc/shadow
`,
      file: "file\n",
      "in-archive": "archived\n",
    });

  it.each<[name: string, before: readonly (string | undefined)[]]>([
    ["none", [undefined]],
    ["a later one", ["1700000000"]],
    ["none, then a later one", [undefined, "1700000000"]],
  ])("gives, in a store that was built in with %s, the image that it gives in a new one", async (_name, before) => {
    const directory = context();
    await mustRun(["tar", "-C", directory, "--owner=0", "--group=0", "-cf", join(directory, "archive.tar"), "in-archive"]);
    const [used, fresh] = [temporaryStore(), temporaryStore()];
    for (const store of [used, fresh]) await importBusybox({ store, env: { SOURCE_DATE_EPOCH: "0" } });
    for (const epoch of before) await mustBuild(used, directory, epoch === undefined ? {} : { epoch });
    const without = identity(used);
    await mustBuild(used, directory, { epoch: "1000000000" });
    await mustBuild(fresh, directory, { epoch: "1000000000" });
    expect(identity(used)).toEqual(identity(fresh));
    expect(identity(used).imageId).not.toBe(without.imageId);
  });

  it("does not change what a build without one gives afterwards", async () => {
    const directory = contextDirectory({
      Dockerfile: "FROM busybox\nCOPY file /\nRUN touch -d '2020-01-02 03:04:05' /touched\n",
      file: "x\n",
    });
    const [used, fresh] = [temporaryStore(), temporaryStore()];
    for (const store of [used, fresh]) await importBusybox({ store });
    await mustBuild(used, directory, { epoch: "1000000000" });
    for (const store of [used, fresh]) await mustBuild(store, directory);
    expect(identity(used).diffIds).toEqual(identity(fresh).diffIds);
  });
});

describe("two stages with the same RUN", needs("sandbox"), () => {
  it("that gives a random number have one result, and the unchanged rebuild runs nothing", async () => {
    const store = temporaryStore();
    await importBusybox({ store });
    const dockerfile = `FROM busybox AS a
RUN head -c 16 /dev/urandom | md5sum > /number; sleep 0.2
FROM busybox AS b
RUN head -c 16 /dev/urandom | md5sum > /number; sleep 0.2
FROM busybox
COPY --from=a /number /a
COPY --from=b /number /b
RUN cat /a /b > /both
`;
    const context = contextDirectory({ Dockerfile: dockerfile });
    await mustBuild(store, context);
    const first = identity(store);
    const [one, other, ...more] = (await mustTsbuild(["run", "--rm", "app", "cat", "/both"], { store })).trim().split("\n");
    expect(one).toMatch(/^[0-9a-f]{32} {2}-$/);
    expect([other, more]).toEqual([one, []]);
    expect(ranSteps(await mustBuild(store, context))).toEqual([]);
    expect(identity(store)).toEqual(first);
  });
});

describe("root without CAP_SYS_ADMIN", needs("root", "userNamespaces"), () => {
  const prefix = ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-all"] as const;

  it("has its second build cached", async () => {
    const store = temporaryStore();
    await importBusybox({ store, prefix });
    const context = contextDirectory({
      Dockerfile: "FROM busybox\nCOPY --chown=5:6 file /\nRUN id -u > /ran; chown 7:8 /ran || true\nWORKDIR /w\nRUN cat /ran > seen\n",
      file: "x\n",
    });
    expect(ranSteps(await mustBuild(store, context, { prefix }))).toContain("WORKDIR /w");
    const first = identity(store);
    expect(ranSteps(await mustBuild(store, context, { prefix }))).toEqual([]);
    expect(identity(store)).toEqual(first);
  });
});

/** Writes an OCI image layout with one image of these layer tars by hand, as any tool may. */
function writeLayout(directory: string, name: string, tars: readonly Buffer[]): void {
  mkdirSync(join(directory, "blobs/sha256"), { recursive: true });
  const put = (bytes: Buffer, mediaType: string) => {
    const hex = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(join(directory, "blobs/sha256", hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const json = (value: object) => Buffer.from(JSON.stringify(value));
  const layers = tars.map((tar) => put(tar, "application/vnd.oci.image.layer.v1.tar"));
  const rootfs = { type: "layers", diff_ids: layers.map(({ digest }) => digest) };
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  const config = put(json({ architecture, os: "linux", config: { Cmd: ["sh"] }, rootfs }), "application/vnd.oci.image.config.v1+json");
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = put(json({ schemaVersion: 2, mediaType, config, layers }), mediaType);
  const annotations = { "org.opencontainers.image.ref.name": name };
  writeFileSync(join(directory, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(directory, "index.json"), json({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }));
}

describe("images whose layers other tools made", needs("root", "sandbox"), () => {
  const work = () => temporaryDirectory("layers");
  const tarOf = async (root: string, ...paths: string[]) => {
    const file = join(work(), "layer.tar");
    await mustRun(["tar", "-C", root, "--owner=0", "--group=0", "-cf", file, ...paths]);
    return readFileSync(file);
  };

  /** Two images, `strict` and `open`, on bases whose /d differs in mode, with one layer above that has /d/file but no /d. */
  async function loadTwo(store: string): Promise<void> {
    const upper = join(work(), "upper");
    mkdirSync(join(upper, "d"), { recursive: true });
    writeFileSync(join(upper, "d/file"), "shared\n");
    const shared = await tarOf(upper, "d/file");
    for (const [name, mode] of [
      ["strict", "2710"],
      ["open", "1777"],
    ] as const) {
      const root = join(work(), "root");
      mkdirSync(root);
      await mustRun(["tar", "-C", root, "-xpf", busyboxTar()]);
      await mustRun(["sh", "-ec", 'mkdir "$1/d"; echo own > "$1/d/own"; chmod "$2" "$1/d"; touch -d @1000000000 "$1/d"', "sh", root, mode]);
      const layout = join(work(), "layout");
      writeLayout(layout, name, [await tarOf(root, "."), shared]);
      await mustTsbuild(["load", layout], { store });
    }
  }

  const look = ["sh", "-c", "stat -c '%a %Y' /d; cat /d/own /d/file"];

  it.each([
    ["strict", "open"],
    ["open", "strict"],
  ])("show each base's own directory below a shared layer, %s first", async (...order) => {
    const store = temporaryStore();
    await loadTwo(store);
    const expected: Readonly<Record<string, string>> = { strict: "2710 1000000000\nown\nshared\n", open: "1777 1000000000\nown\nshared\n" };
    for (const name of [...order, ...order])
      expect(await mustTsbuild(["run", "--rm", name, ...look], { store }), name).toBe(expected[name]);
  });

  it("are built on the same way", async () => {
    const store = temporaryStore();
    await loadTwo(store);
    for (const [name, mode] of [
      ["strict", "2710"],
      ["open", "1777"],
    ] as const) {
      const context = contextDirectory({ Dockerfile: `FROM ${name}\nRUN stat -c %a /d > /mode\n` });
      await mustBuild(store, context, { name: `on-${name}` });
      expect(await mustTsbuild(["run", "--rm", `on-${name}`, "sh", "-c", "cat /mode; stat -c %a /d"], { store })).toBe(
        `${mode}\n${mode}\n`,
      );
    }
  });

  it(
    "have their device nodes left out for an ordinary user, which is said",
    needs("privateMounts", "userNamespaces", "subIds"),
    async () => {
      const root = join(work(), "root");
      mkdirSync(root);
      await mustRun(["tar", "-C", root, "-xpf", busyboxTar()]);
      await mustRun([
        "sh",
        "-ec",
        'mkdir "$1/nodes"; mknod "$1/nodes/null" c 1 3; mknod "$1/nodes/disk" b 7 0; : > "$1/nodes/file"',
        "sh",
        root,
      ]);
      const user = createUser({ uid: 4821, subIds: true });
      const layout = join(user.home, "layout");
      writeLayout(layout, "devices", [await tarOf(root, ".")]);
      await mustTsbuild(["load", layout], { user });
      const message = "device files cannot be made here and are missing: ";
      const context = contextDirectory({ Dockerfile: "FROM devices\nRUN ls /nodes > /listed\n" });
      const built = await tsbuild(["build", "--progress", "plain", "--network", "none", "-t", "app", context], { user });
      expect(built.code, built.stderr).toBe(0);
      const note = built.stderr.split("\n").find((line) => line.includes(message)) ?? "";
      expect(
        note
          .slice(note.indexOf(message) + message.length)
          .split(", ")
          .sort(),
      ).toEqual(["/nodes/disk", "/nodes/null"]);
      const ran = await tsbuild(["run", "--rm", "app", "cat", "/listed"], { user });
      expect([ran.code, ran.stdout]).toEqual([0, "file\n"]);
    },
  );
});
