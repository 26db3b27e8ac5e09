import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { build } from "../../../builder/index.ts";
import { type ContainerConfig, importRootfs, loadImages, openStore } from "../../../store/index.ts";
import { busyboxTar } from "../bases.ts";
import { command, mustRun } from "../command.ts";
import { type DockerDaemon, startDockerDaemon } from "../registry/docker-daemon.ts";
import { temporaryDirectory } from "../temporary.ts";
import type { PeerCase, PeerName } from "./cases.ts";
import { type FlatImage, flatImage } from "./flat-image.ts";

/** Something that builds a case from the directory that has its context and Dockerfile. */
export interface PeerBuilder extends AsyncDisposable {
  build(one: PeerCase, context: string): Promise<FlatImage>;
}

const busyboxPath = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";

/** Busybox with all that a container's mounts need a place for, so that peers that leave such places in a layer leave nothing new. */
function baseTar(): string {
  const root = temporaryDirectory("base");
  const archive = join(temporaryDirectory("base-tar"), "base.tar");
  const script =
    'tar -xf "$0" && mkdir -p proc sys dev run etc && touch etc/hostname etc/hosts etc/resolv.conf && tar --numeric-owner -cf "$1" .';
  execFileSync("sh", ["-c", script, busyboxTar(), archive], { cwd: root });
  return archive;
}

export async function ourselves(): Promise<PeerBuilder> {
  const root = join(temporaryDirectory("ours"), "store");
  const store = await openStore(root);
  await importRootfs(store, { file: baseTar() }, { names: ["busybox"], config: { Env: [busyboxPath], Cmd: ["sh"] } });
  return {
    async build(one, context) {
      await build({
        context,
        store: root,
        tags: [one.id],
        buildArgs: one.args ?? {},
        ...(one.target === undefined ? {} : { target: one.target }),
        network: "none",
        pull: "never",
      });
      return flatImage(store, await store.images.open(one.id));
    },
    [Symbol.asyncDispose]: () => store.close(),
  };
}

export function startPeer(name: PeerName): Promise<PeerBuilder> {
  return name === "docker" ? docker() : buildah();
}

/** BuildKit inside of Debian's docker daemon. It runs no containers. */
async function docker(): Promise<PeerBuilder> {
  const directory = temporaryDirectory("docker");
  const daemon: DockerDaemon = await startDockerDaemon(directory);
  const archives = temporaryDirectory("saved");
  await daemon.docker("import", "--change", `ENV ${busyboxPath}`, "--change", 'CMD ["sh"]', baseTar(), "busybox");
  return {
    async build(one, context) {
      const args = Object.entries(one.args ?? {}).flatMap(([key, value]) => ["--build-arg", `${key}=${value}`]);
      const target = one.target === undefined ? [] : ["--target", one.target];
      await daemon.docker("build", "--quiet", "--tag", one.id, ...args, ...target, context);
      const archive = join(archives, `${one.id}.tar`);
      await daemon.docker("save", "--output", archive, one.id);
      const layout = join(archives, one.id);
      await mustRun(["skopeo", "copy", "--quiet", `docker-archive:${archive}`, `oci:${layout}:${one.id}`]);
      const [inspected] = JSON.parse(await daemon.docker("image", "inspect", one.id)) as [{ Config: ContainerConfig }];
      return loaded({ directory: layout }, inspected.Config);
    },
    [Symbol.asyncDispose]: () => daemon.close(),
  };
}

async function buildah(): Promise<PeerBuilder> {
  const directory = temporaryDirectory("buildah");
  const global = ["--root", join(directory, "root"), "--runroot", join(directory, "run"), "--storage-driver", "vfs"];
  const env = { ...process.env, HOME: directory, REGISTRY_AUTH_FILE: undefined, DOCKER_CONFIG: undefined, BUILDAH_ISOLATION: "chroot" };
  const run = (...args: readonly string[]) => mustRun(["buildah", ...global, ...args], { env });
  const container = (await run("from", "scratch")).trim();
  await run("add", "--quiet", container, baseTar(), "/");
  await run("config", "--env", busyboxPath, "--cmd", "sh", container);
  await run("commit", "--quiet", "--identity-label=false", container, "localhost/busybox");
  return {
    async build(one, context) {
      const args = Object.entries(one.args ?? {}).flatMap(([key, value]) => ["--build-arg", `${key}=${value}`]);
      const target = one.target === undefined ? [] : ["--target", one.target];
      await run(
        "build",
        "--quiet",
        "--format",
        "docker",
        "--pull-never",
        "--identity-label=false",
        "--tag",
        one.id,
        ...args,
        ...target,
        context,
      );
      const layout = join(directory, `layout-${one.id}`);
      await run("push", "--quiet", one.id, `oci:${layout}:${one.id}`);
      const inspected = JSON.parse(await run("inspect", "--type", "image", one.id)) as { Docker: { config: ContainerConfig } };
      // The name of the container that it was made in.
      const { Hostname: _, ...config } = inspected.Docker.config as ContainerConfig & { Hostname?: string };
      return loaded({ directory: layout }, config);
    },
    async [Symbol.asyncDispose]() {
      await command(["buildah", ...global, "rm", "--all"], { env });
    },
  };
}

/** Of a layout that holds one image. The config is the peer's own: some of it is lost on the way to the layout. */
async function loaded(source: { readonly directory: string }, config: ContainerConfig): Promise<FlatImage> {
  await using store = await openStore(join(temporaryDirectory("loaded"), "store"));
  const [image] = await loadImages(store, source);
  if (image === undefined) throw new Error("the layout holds no image");
  return flatImage(store, { ...image, config: { ...image.config, config } });
}
