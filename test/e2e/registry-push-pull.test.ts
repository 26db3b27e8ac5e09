import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { contextDirectory } from "../support/context.ts";
import { checkLayout, readLayoutImage, transientFiles } from "../support/layout.ts";
import { needs } from "../support/needs.ts";
import { type DebianRegistry, startDebianRegistry } from "../support/registry/debian-registry.ts";
import { inspectRemote, type RemoteContent } from "../support/registry/inspect-remote.ts";
import { type Machine, newMachine } from "../support/registry/machine.ts";
import { mounts, transfers } from "../support/registry/request-lines.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { createUser } from "../support/users.ts";

let registry: DebianRegistry;
let other: DebianRegistry;
/** Has the image `app`. */
let here: Machine;

/** Builds `app` of two layers with these files. The same text always gives the same layer. */
async function buildApp(machine: Machine, b: string): Promise<void> {
  const Dockerfile = "FROM scratch\nCOPY a /a\nCOPY b /b\nENV X=1\n";
  await machine.must(["-q", "-t", "app", "--source-date-epoch", "0", contextDirectory({ Dockerfile, a: "a\n", b })]);
}

/** What digests are called in lists of requests. */
function namesOf({ digest, manifest }: RemoteContent): Readonly<Record<string, string>> {
  const [a = "", b = ""] = manifest.layers.map((layer) => layer.digest);
  return { [digest]: "MANIFEST", [manifest.config.digest]: "CONFIG", [a]: "A", [b]: "B" };
}

describe("Debian's docker-registry", needs("dockerRegistry"), () => {
  beforeAll(async () => {
    const directory = temporaryDirectory("registry");
    [registry, other] = await Promise.all([startDebianRegistry({ directory }), startDebianRegistry({ directory })]);
    here = newMachine();
    await buildApp(here, "b\n");
  });
  afterAll(() => Promise.all([registry.close(), other.close()]));

  it("takes an image, and gives the same to another machine", async () => {
    const pushed = await here.must(["push", "app", `${registry.host}/team/app:v1`]);
    const remote = await inspectRemote(registry.host, "team/app", "v1");
    expect(pushed).toBe(`${registry.host}/team/app@${remote.digest}`);
    const there = newMachine();
    expect(await there.must(["pull", `${registry.host}/team/app:v1`])).toBe(pushed);
    const theirs = readLayoutImage(there.store, `${registry.host}/team/app:v1`);
    expect(theirs.manifest).toEqual(remote.manifest);
    expect(theirs.imageId).toBe(readLayoutImage(here.store, "app").imageId);
    expect(checkLayout(there.store).damage).toEqual([]);
    expect([...transientFiles(here.store), ...transientFiles(there.store)]).toEqual([]);
    // What came from a registry is not made anew for another one.
    expect(await there.must(["push", `${registry.host}/team/app:v1`, `${other.host}/app`])).toBe(`${other.host}/app@${remote.digest}`);
  });

  it("gets nothing of what it has, and mounts what another of its repositories has", async () => {
    await here.must(["push", "app", `${registry.host}/first/app`]);
    const names = namesOf(await inspectRemote(registry.host, "first/app"));
    const again = await registry.requestsDuring(() => here.must(["push", "app", `${registry.host}/first/app`]));
    expect(transfers(again, names)).toEqual([]);
    const second = await registry.requestsDuring(() => here.must(["push", "app", `${registry.host}/second/app`]));
    // The config is small.
    expect(transfers(second, names)).toEqual(["PUT second/app/uploads 201"]);
    expect(mounts(second, names).map((line) => line.replace(/from \S+/, "from …"))).toEqual([
      "POST second/app/uploads of A from … 201",
      "POST second/app/uploads of B from … 201",
    ]);
    const rebuilt = newMachine();
    await buildApp(rebuilt, "changed\n");
    const changed = await registry.requestsDuring(() => rebuilt.must(["push", "app", `${registry.host}/first/app`]));
    // One layer and the config.
    expect(transfers(changed, names)).toEqual(["PUT first/app/uploads 201", "PUT first/app/uploads 201"]);
  });

  it("is asked for one manifest when an image is there already, and for the layers that are missing when it is not", async () => {
    const name = `${registry.host}/moving/app`;
    await here.must(["push", "app", name]);
    const names = namesOf(await inspectRemote(registry.host, "moving/app"));
    const there = newMachine();
    const first = await registry.requestsDuring(() => there.must(["pull", name]));
    expect(transfers(first, names)).toEqual([
      "GET moving/app/blobs/A 200",
      "GET moving/app/blobs/B 200",
      "GET moving/app/blobs/CONFIG 200",
    ]);
    const second = await registry.requestsDuring(() => there.must(["pull", name]));
    expect(transfers(second, names)).toEqual([]);
    expect(second).toHaveLength(1);
    const rebuilt = newMachine();
    await buildApp(rebuilt, "moved\n");
    await rebuilt.must(["push", "app", name]);
    const moved = await inspectRemote(registry.host, "moving/app");
    const third = await registry.requestsDuring(() => there.must(["pull", name]));
    const movedNames = {
      ...namesOf(moved),
      ...names,
      [moved.manifest.layers[1]?.digest ?? ""]: "NEW B",
      [moved.manifest.config.digest]: "NEW CONFIG",
    };
    expect(transfers(third, movedNames)).toEqual(["GET moving/app/blobs/NEW B 200", "GET moving/app/blobs/NEW CONFIG 200"]);
  });

  it("lists its tags and what they mean", async () => {
    await here.must(["push", "app", `${registry.host}/tags/app:v1`, `${registry.host}/tags/app:v2`]);
    const { digest } = await inspectRemote(registry.host, "tags/app", "v1");
    expect(await here.must(["ls-remote", `${registry.host}/tags/app`])).toBe("v1\nv2");
    expect(JSON.parse(await here.must(["ls-remote", "--digests", "--format", "json", `${registry.host}/tags/app`]))).toEqual([
      { tag: "v1", digest },
      { tag: "v2", digest },
    ]);
  });

  it("keeps what is attached to an image under a tag, as it knows no referrers", async () => {
    const name = `${registry.host}/attached/app:v1`;
    await here.must(["push", "app", name]);
    here.write("sbom.json", "{}\n");
    const attached = await here.must(["attach", "--artifact-type", "application/spdx+json", name, join(here.home, "sbom.json")]);
    const listed = JSON.parse(await here.must(["ls-remote", "--referrers", "--format", "json", name]));
    expect(listed).toMatchObject([{ artifactType: "application/spdx+json", digest: attached.split("@")[1] }]);
    const copied = `${other.host}/attached/app:v1`;
    await here.must(["copy", "--referrers", name, copied]);
    expect(JSON.parse(await here.must(["ls-remote", "--referrers", "--format", "json", copied]))).toEqual(listed);
  });

  it.each<[args: string, says: string]>([
    ["pull HOST/team/none", "pulling HOST/team/none:latest: the registry has no such image [REGISTRY_NOT_FOUND]"],
    ["pull HOST/none@DIGEST", "pulling HOST/none@DIGEST: the registry has no such image [REGISTRY_NOT_FOUND]"],
    [
      "ls-remote HOST/none",
      "listing the tags of HOST/none: HOST answers 404 not found: repository name not known to registry [NAME_UNKNOWN] [REGISTRY_NOT_FOUND]",
    ],
    ["copy HOST/none HOST/some", "copying HOST/none:latest: the registry has no such image [REGISTRY_NOT_FOUND]"],
  ])("does not have what is asked for: %s", async (args, says) => {
    const digest = `sha256:${"0".repeat(64)}`;
    const words = args.replaceAll("HOST", registry.host).replace("DIGEST", digest).split(" ");
    const { code, stdout, stderr } = await newMachine().run(words);
    const said = stderr.replaceAll(registry.host, "HOST").replace(digest, "DIGEST").split("\n")[0];
    expect([code, stdout, said]).toEqual([1, "", `error: ${says}`]);
  });

  it("serves an ordinary user", needs("root", "dockerRegistry"), async () => {
    const user = createUser({ uid: 4_111, subIds: false });
    const theirs = newMachine(user);
    await buildApp(theirs, "theirs\n");
    const pushed = await theirs.must(["push", "app", `${registry.host}/user/app`]);
    const again = newMachine(createUser({ uid: 4_112, subIds: false }));
    expect(await again.must(["pull", `${registry.host}/user/app`])).toBe(pushed);
    expect(checkLayout(again.store).damage).toEqual([]);
  });
});
