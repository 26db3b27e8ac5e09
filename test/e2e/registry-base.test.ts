import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { importBusybox } from "../support/bases.ts";
import { contextDirectory } from "../support/context.ts";
import { checkLayout, readLayoutImage } from "../support/layout.ts";
import { needs } from "../support/needs.ts";
import { type DebianRegistry, startDebianRegistry } from "../support/registry/debian-registry.ts";
import { inspectRemote, type RemoteContent } from "../support/registry/inspect-remote.ts";
import { type Machine, newMachine } from "../support/registry/machine.ts";
import { mounts, requestLines, transfers } from "../support/registry/request-lines.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let registry: DebianRegistry;
let other: DebianRegistry;
/** HOST/team/base, two layers. */
let baseName: string;
let base: RemoteContent;
/** What digests are called in lists of requests. */
let names: Readonly<Record<string, string>>;

/** Builds and pushes an image there, on a machine of its own. */
async function pushBase(name: string, text: string, from = "scratch"): Promise<void> {
  const maker = newMachine();
  if (from === "busybox") await importBusybox({ store: maker.store });
  await maker.must(["-q", "-t", name, "--push", contextDirectory({ Dockerfile: `FROM ${from}\nCOPY file /file\n`, file: text })]);
}

/** What steps read of a base, unpacked for RUN: the diffIds of the directories in the store. */
function unpacked(machine: Machine): string[] {
  const layers = join(machine.store, "v1/layers");
  return readdirSync(layers).filter((layer) => readdirSync(join(layers, layer)).includes("dir"));
}

function firstLine(text: string, { store }: Machine): string | undefined {
  return text
    .replaceAll(registry.host, "HOST")
    .replaceAll(store, "STORE")
    .replace(/^\/\S+(?=\/Dockerfile:)/, "CONTEXT")
    .split("\n")[0];
}

describe("base images of a registry", needs("dockerRegistry"), () => {
  beforeAll(async () => {
    const directory = temporaryDirectory("registry");
    [registry, other] = await Promise.all([startDebianRegistry({ directory }), startDebianRegistry({ directory })]);
    baseName = `${registry.host}/team/base`;
    await pushBase(baseName, "1\n", "busybox");
    base = await inspectRemote(registry.host, "team/base");
    const [low = "", high = ""] = base.manifest.layers.map(({ digest }) => digest);
    names = { [low]: "BUSYBOX", [high]: "FILE", [base.manifest.config.digest]: "CONFIG", [base.digest]: "BASE" };
  });
  afterAll(() => Promise.all([registry.close(), other.close()]));

  it("are not fetched for settings and linked copies that are pushed: the registry mounts their layers", async () => {
    const machine = newMachine();
    const Dockerfile = `FROM ${baseName}\nENV A=1\nLABEL b=2\nCOPY --link --chown=1:2 a /a\n`;
    const context = contextDirectory({ Dockerfile, a: "a\n" });
    const requests = await registry.requestsDuring(() => machine.must(["-t", `${registry.host}/team/app`, "--push", context]));
    const app = await inspectRemote(registry.host, "team/app");
    expect(app.manifest.layers.slice(0, 2)).toEqual(base.manifest.layers);
    const own = { ...names, [app.manifest.layers[2]?.digest ?? ""]: "OWN" };
    expect(requestLines(requests.slice(0, 2), own)).toEqual(["GET team/base/manifests/latest 200", "GET team/base/blobs/CONFIG 200"]);
    expect(mounts(requests, own)).toEqual([
      "POST team/app/uploads of BUSYBOX from team/base 201",
      "POST team/app/uploads of FILE from team/base 201",
    ]);
    // The base's config came; its own layer and its own config went.
    expect(transfers(requests, own)).toEqual(["GET team/base/blobs/CONFIG 200", "PUT team/app/uploads 201", "PUT team/app/uploads 201"]);
    const there = newMachine();
    await there.must(["pull", "-q", `${registry.host}/team/app`]);
    expect(checkLayout(there.store).damage).toEqual([]);
    expect(readLayoutImage(there.store, `${registry.host}/team/app`).manifest).toEqual(app.manifest);
  });

  it("go from their registry to another one, once, when what stands on them is pushed there", async () => {
    const machine = newMachine();
    const context = contextDirectory({ Dockerfile: `FROM ${baseName}\nENV A=2\n` });
    const requests = await registry.requestsDuring(() => machine.must(["-t", `${other.host}/app`, "--push", context]));
    expect(transfers(requests, names)).toEqual([
      "GET team/base/blobs/BUSYBOX 200",
      "GET team/base/blobs/CONFIG 200",
      "GET team/base/blobs/FILE 200",
    ]);
    expect((await inspectRemote(other.host, "app")).manifest.layers).toEqual(base.manifest.layers);
    const again = await registry.requestsDuring(() => machine.must(["-t", `${other.host}/app:again`, "--push", context]));
    expect(requestLines(again, names)).toEqual([]);
  });

  it("are fetched and indexed, not unpacked, where a step looks at files", async () => {
    const machine = newMachine();
    const context = contextDirectory({ Dockerfile: `FROM ${baseName}\nCOPY a /bin/sub/\n`, a: "a\n" });
    const requests = await registry.requestsDuring(() => machine.must(["-t", "app", context]));
    expect(transfers(requests, names)).toEqual([
      "GET team/base/blobs/BUSYBOX 200",
      "GET team/base/blobs/CONFIG 200",
      "GET team/base/blobs/FILE 200",
    ]);
    expect(unpacked(machine)).toEqual([]);
    expect(checkLayout(machine.store)).toEqual({ names: ["app"], damage: [] });
  });

  it("are unpacked for RUN", needs("sandbox"), async () => {
    const machine = newMachine();
    const context = contextDirectory({ Dockerfile: `FROM ${baseName}\nRUN cat /file > /seen\n` });
    await machine.must(["-t", "app", context]);
    expect(unpacked(machine)).toHaveLength(3);
    expect(await machine.must(["run", "--rm", "app", "cat", "/seen"])).toBe("1");
  });

  it("give files to COPY --from", async () => {
    const machine = newMachine();
    const context = contextDirectory({ Dockerfile: `FROM scratch\nCOPY --from=${baseName} /file /copied\n` });
    await machine.must(["-t", "app", context]);
    expect(readLayoutImage(machine.store, "app").manifest.layers).toHaveLength(1);
  });

  it("are what their digest says", async () => {
    const machine = newMachine();
    const context = contextDirectory({ Dockerfile: `FROM ${baseName}@${base.digest}\nENV A=3\n` });
    const requests = await registry.requestsDuring(() => machine.must(["-t", "app", "--pull", context]));
    expect(requestLines(requests, names)[0]).toBe("GET team/base/manifests/BASE 200");
    // A digest means the same for ever: --pull has nothing to ask.
    expect(await registry.requestsDuring(() => machine.must(["-t", "app", "--pull", context]))).toEqual([]);
  });

  it("are run by tsbuild run", needs("sandbox"), async () => {
    const machine = newMachine();
    expect(await machine.must(["run", "--rm", "-q", baseName, "cat", "/file"])).toBe("1");
  });

  describe("--pull", () => {
    const name = (tag: string) => `${registry.host}/moving/base:${tag}`;
    const context = (tag: string) => contextDirectory({ Dockerfile: `FROM ${name(tag)}\nCOPY --from=${name(tag)} /file /copied\n` });

    it.each<[policy: string, asks: boolean, takes: "old" | "new"]>([
      ["missing", false, "old"],
      ["never", false, "old"],
      ["always", true, "new"],
      ["newer", true, "new"],
    ])("=%s of a tag that has moved", async (policy, asks, takes) => {
      const machine = newMachine();
      const here = context(policy);
      await pushBase(name(policy), "old\n");
      const old = await machine.must(["-q", "-t", "app", here]);
      await pushBase(name(policy), "new\n");
      let built = "";
      const requests = await registry.requestsDuring(async () => {
        built = await machine.must(["-q", "-t", "app", `--pull=${policy}`, here]);
      });
      expect([requests.length > 0, built === old ? "old" : "new"]).toEqual([asks, takes]);
    });

    it("=never of what the store does not have", async () => {
      const machine = newMachine();
      const requests = await registry.requestsDuring(async () => {
        const { code, stderr } = await machine.run(["--pull=never", contextDirectory({ Dockerfile: `FROM ${baseName}\n` })]);
        expect([code, firstLine(stderr, machine)]).toEqual([
          1,
          'CONTEXT/Dockerfile:1:1: error: looking for image "HOST/team/base": it is not in the store STORE; registries are not asked (--pull=never) [NOT_FOUND]',
        ]);
      });
      expect(requests).toEqual([]);
    });

    const refused = "looking up GONE/base:latest: GONE: the connection is refused (ECONNREFUSED)";
    it.each<[policy: string, code: number, says: string]>([
      ["missing", 0, "#1 [1/2] FROM GONE/base"],
      ["never", 0, "#1 [1/2] FROM GONE/base"],
      ["newer", 0, `note: image "GONE/base": the store's is taken, since the registry did not answer: ${refused}`],
      ["always", 1, `CONTEXT/Dockerfile:1:1: error: ${refused} [REGISTRY_UNREACHABLE]`],
    ])("=%s when the registry has gone", async (policy, expected, says) => {
      const gone = await startDebianRegistry({ directory: temporaryDirectory("registry") });
      const machine = newMachine();
      const here = contextDirectory({ Dockerfile: `FROM ${gone.host}/base\nCOPY --from=${gone.host}/base /file /copied\n` });
      try {
        await pushBase(`${gone.host}/base`, "1\n");
        await machine.must(["-q", here]);
      } finally {
        await gone.close();
      }
      const { code, stderr } = await machine.run(["-t", "app", `--pull=${policy}`, "--retry=0", here]);
      expect([code, firstLine(stderr.replaceAll(gone.host, "GONE"), machine)]).toEqual([expected, says]);
    });
  });

  it("that are nowhere are an error that says where they were looked for", async () => {
    const machine = newMachine();
    const { code, stderr } = await machine.run([contextDirectory({ Dockerfile: `FROM ${registry.host}/team/none:v1\n` })]);
    expect([code, firstLine(stderr, machine)]).toEqual([
      1,
      'CONTEXT/Dockerfile:1:1: error: looking for image "HOST/team/none:v1": it is neither in the store STORE nor in the registry HOST [NOT_FOUND]',
    ]);
  });
});
