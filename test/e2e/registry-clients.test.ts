import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { importBusybox } from "../support/bases.ts";
import { mustRun } from "../support/command.ts";
import { contextDirectory } from "../support/context.ts";
import { blobPath, checkLayout, readLayoutImage } from "../support/layout.ts";
import { needs } from "../support/needs.ts";
import { type DebianRegistry, startDebianRegistry } from "../support/registry/debian-registry.ts";
import { type DockerDaemon, startDockerDaemon } from "../support/registry/docker-daemon.ts";
import { inspectRemote } from "../support/registry/inspect-remote.ts";
import { type Machine, newMachine } from "../support/registry/machine.ts";
import { podmanIn } from "../support/registry/podman.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { listing } from "../support/tree.ts";

let registry: DebianRegistry;
/** Has the image `app`, and what others have pushed. */
let machine: Machine;

/** What umoci unpacks of an image layout. */
async function umociTree(layout: string, name: string): Promise<readonly string[]> {
  const bundle = join(temporaryDirectory("bundle"), "bundle");
  await mustRun(["umoci", "unpack", "--image", `${layout}:${name}`, bundle]);
  return listing(join(bundle, "rootfs"));
}

const ours = ["oci", "docker"] as const;
/** HOST/ours/FORMAT:COMPRESSION. */
const pushes = ours.flatMap((format) => (["gzip", "none"] as const).map((compression) => [format, compression] as const));

describe("other clients of docker-registry", needs("root", "dockerRegistry", "skopeo", "umoci", "attr"), () => {
  /** Of the image `app`. */
  let tree: readonly string[];

  beforeAll(async () => {
    registry = await startDebianRegistry({ directory: temporaryDirectory("registry") });
    machine = newMachine();
    await importBusybox({ store: machine.store });
    const Dockerfile = "FROM busybox\nCOPY --chmod=4755 --chown=1:2 a /ünï/a\nCOPY links /links/\nENV A=1\n";
    const context = contextDirectory({ Dockerfile, a: "a\n", "links/b": "b\n" });
    await mustRun(["ln", "-s", "/nowhere", join(context, "links/dangling")]);
    await machine.must(["-q", "-t", "app", context]);
    tree = await umociTree(machine.store, "app");
    for (const [format, compression] of pushes) {
      await machine.must([
        "push",
        "-q",
        "--format",
        format,
        "--compression",
        compression,
        "app",
        `${registry.host}/ours/${format}:${compression}`,
      ]);
    }
  });
  afterAll(() => registry.close());

  const remoteName = (repository: string, tag: string) => `${registry.host}/${repository}:${tag}`;

  /** We pull what another client has pushed: the same digest, and the tree of `app`. */
  async function pullTheirs(repository: string, tag: string): Promise<void> {
    const there = newMachine();
    const remote = await inspectRemote(registry.host, repository, tag);
    expect(await there.must(["pull", remoteName(repository, tag)])).toBe(`${registry.host}/${repository}@${remote.digest}`);
    await there.must(["tag", remoteName(repository, tag), "theirs"]);
    expect(checkLayout(there.store).damage).toEqual([]);
    expect(readLayoutImage(there.store, "theirs").config.rootfs).toEqual(readLayoutImage(machine.store, "app").config.rootfs);
    const layout = join(temporaryDirectory("layout"), "layout");
    // umoci knows no Docker types.
    await there.must(["copy", "--format", "oci", "store:theirs", `oci:${layout}:theirs`]);
    expect(await umociTree(layout, "theirs")).toEqual(tree);
  }

  describe("skopeo", () => {
    it.each(pushes)("reads what we pushed as %s, %s", async (format, compression) => {
      const layout = join(temporaryDirectory("layout"), "layout");
      const remote = await inspectRemote(registry.host, `ours/${format}`, compression);
      const source = `docker://${remoteName(`ours/${format}`, compression)}`;
      expect(JSON.parse(await mustRun(["skopeo", "inspect", "--tls-verify=false", source])).Digest).toBe(remote.digest);
      await mustRun(["skopeo", "copy", "--src-tls-verify=false", source, `oci:${layout}:app`]);
      // Of Docker's types it makes a config of its own.
      if (format === "oci") expect(readLayoutImage(layout, "app").imageId).toBe(readLayoutImage(machine.store, "app").imageId);
      expect(await umociTree(layout, "app")).toEqual(tree);
    });

    it.each([
      ["oci", []],
      ["v2s2", []],
      ["oci", ["--dest-compress-format", "zstd"]],
    ])("is read by us: %s %j", async (format, flags) => {
      const tag = [format, ...flags.slice(1)].join("-");
      const destination = `docker://${remoteName("skopeo/app", tag)}`;
      await mustRun(["skopeo", "copy", "--dest-tls-verify=false", "--format", format, ...flags, `oci:${machine.store}:app`, destination]);
      await pullTheirs("skopeo/app", tag);
    });
  });

  describe("podman", needs("podman"), () => {
    it("pulls what we pushed, and is read by us", async () => {
      const podman = podmanIn(temporaryDirectory("podman"));
      for (const [format, compression] of pushes) {
        const name = remoteName(`ours/${format}`, compression);
        const remote = await inspectRemote(registry.host, `ours/${format}`, compression);
        const id = await podman("pull", "-q", "--tls-verify=false", name);
        expect(`sha256:${id.trim()}`).toBe(remote.manifest.config.digest);
        const [inspected] = JSON.parse(await podman("image", "inspect", name));
        expect(inspected.RepoDigests).toContain(`${registry.host}/ours/${format}@${remote.digest}`);
      }
      const mounted = await podman("image", "mount", remoteName("ours/oci", "gzip"));
      expect(listing(mounted.trim())).toEqual(tree);
      await podman("push", "-q", "--tls-verify=false", remoteName("ours/oci", "gzip"), remoteName("podman/app", "oci"));
      await podman(
        "push",
        "-q",
        "--tls-verify=false",
        "--format",
        "v2s2",
        remoteName("ours/oci", "gzip"),
        remoteName("podman/app", "docker"),
      );
      await pullTheirs("podman/app", "oci");
      await pullTheirs("podman/app", "docker");
    });

    it("makes an index of two platforms, of which we take the one that is asked for and copy both", async () => {
      const podman = podmanIn(temporaryDirectory("podman"));
      const context = contextDirectory({ Dockerfile: "FROM scratch\nARG TARGETARCH\nENV ARCH=$TARGETARCH\n" });
      const architectures = ["amd64", "arm64"] as const;
      for (const architecture of architectures) {
        await newMachine().must([
          "-q",
          "--platform",
          `linux/${architecture}`,
          "-t",
          remoteName("index/app", architecture),
          "--push",
          context,
        ]);
      }
      await podman("manifest", "create", "both");
      for (const architecture of architectures) {
        await podman("manifest", "add", "--tls-verify=false", "both", `docker://${remoteName("index/app", architecture)}`);
      }
      await podman("manifest", "push", "-q", "--tls-verify=false", "--all", "both", `docker://${remoteName("index/app", "both")}`);
      const { digest } = await inspectRemote(registry.host, "index/app", "both");
      const there = newMachine();
      const configs = await Promise.all(
        architectures.map(async (architecture) => (await inspectRemote(registry.host, "index/app", architecture)).manifest.config.digest),
      );
      const had: boolean[][] = [];
      for (const architecture of architectures) {
        const pulled = await there.must(["pull", "--platform", `linux/${architecture}`, remoteName("index/app", "both")]);
        expect(pulled).toBe(`${registry.host}/index/app@${digest}`);
        had.push(configs.map((config) => existsSync(blobPath(there.store, config))));
      }
      expect(had).toEqual([
        [true, false],
        [true, true],
      ]);
      // Of the store, where both are now, and from registry to registry.
      const pushed = await there.must(["push", remoteName("index/app", "both"), remoteName("pushed/app", "both")]);
      const copied = await there.must(["copy", remoteName("index/app", "both"), remoteName("copied/app", "both")]);
      expect([pushed, copied]).toEqual(["pushed", "copied"].map((repository) => `${registry.host}/${repository}/app@${digest}`));
    });
  });

  describe("docker", needs("dockerDaemon"), () => {
    let daemon: DockerDaemon;
    beforeAll(async () => {
      daemon = await startDockerDaemon(temporaryDirectory("docker"));
    });
    afterAll(() => daemon.close());

    it("pulls what we pushed, and is read by us", async () => {
      const { docker } = daemon;
      for (const [format, compression] of pushes) {
        const name = remoteName(`ours/${format}`, compression);
        const remote = await inspectRemote(registry.host, `ours/${format}`, compression);
        await docker("pull", "-q", name);
        const [inspected] = JSON.parse(await docker("image", "inspect", name));
        expect(inspected.RepoDigests).toContain(`${registry.host}/ours/${format}@${remote.digest}`);
        expect(inspected.RootFS.Layers).toEqual(readLayoutImage(machine.store, "app").config.rootfs.diff_ids);
      }
      await docker("tag", remoteName("ours/oci", "gzip"), remoteName("docker/app", "v1"));
      await docker("push", "-q", remoteName("docker/app", "v1"));
      await pullTheirs("docker/app", "v1");
    });

    it("loads an archive that we copied", async () => {
      const { docker } = daemon;
      const archive = join(temporaryDirectory(), "app.tar");
      const name = remoteName("copied/app", "v1");
      await machine.must(["copy", "-q", remoteName("ours/oci", "gzip"), `oci-archive:${archive}:${name}`]);
      await docker("load", "-i", archive);
      const [inspected] = JSON.parse(await docker("image", "inspect", name));
      expect(inspected.RootFS.Layers).toEqual(readLayoutImage(machine.store, "app").config.rootfs.diff_ids);
    });
  });
});
