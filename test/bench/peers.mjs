import { spawnSync } from "node:child_process";
import { mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";

/**
 * The other builders of this machine, each with the busybox base in a store of its own: { name, version, build(context, name, { cold }), run,
 * load(archive, name), push(name, destination), pull(source, directory) }, of which each has some; all return argument vectors. Without `load`,
 * names are skopeo's. `pull` makes a new store in the directory. A daemon's client counts only when its daemon answers.
 */
export function availablePeers(place, busybox) {
  return [buildah(place, busybox), podman(place, busybox), docker(busybox), skopeo()].filter((peer) => peer !== undefined);
}

function ok(argv) {
  return spawnSync(argv[0], argv.slice(1), { stdio: "ignore" }).status === 0;
}

function versionOf(argv) {
  const result = spawnSync(argv[0], argv.slice(1), { encoding: "utf8" });
  return result.status === 0 ? /\d+(\.\d+)+/.exec(result.stdout)?.[0] : undefined;
}

/** podman leaves its parent cgroup behind; under a name of our own it can be found and removed. */
const CGROUP = `/tsbuild-bench-${process.pid}`;

/** Removes what the peers left outside of the benchmark's place. */
export function removePeerLeftovers() {
  const found = spawnSync("find", ["/sys/fs/cgroup", "-depth", "-type", "d", "-path", `*${CGROUP}*`], { encoding: "utf8" }).stdout;
  for (const directory of found.split("\n").filter((line) => line !== "")) rmdirSync(directory);
}

/** crun refuses machines whose cgroups are half version 1, half version 2; runc takes them. */
function runtime() {
  return versionOf(["runc", "--version"]) === undefined ? [] : ["--runtime", "runc"];
}

function storage(place, name) {
  return storageIn(join(place, `peer-${name}`));
}

function storageIn(directory) {
  mkdirSync(directory, { recursive: true });
  return ["--root", join(directory, "root"), "--runroot", join(directory, "run"), "--storage-driver", "overlay"];
}

function buildah(place, busybox) {
  const version = versionOf(["buildah", "--version"]);
  if (version === undefined) return undefined;
  const own = ["buildah", ...storage(place, "buildah")];
  const script =
    'set -e; c=$("$@" from scratch); "$@" add -q "$c" "$0" /; "$@" config --env PATH=/bin "$c"; "$@" commit -q "$c" localhost/busybox; "$@" rm "$c"';
  if (!ok(["sh", "-c", script, busybox, ...own])) return undefined;
  return {
    name: "buildah",
    version,
    build: (context, name, { cold }) => [
      ...own,
      "build",
      ...runtime(),
      "--pull-never",
      "--network",
      "none",
      ...(cold ? ["--no-cache"] : []),
      "--layers",
      "-q",
      "-t",
      name,
      context,
    ],
    load: (archive, name) => pullAs(own, archive, name),
    push: (name, destination) => [...own, "push", "-q", "--tls-verify=false", name, `docker://${destination}`],
  };
}

function podman(place, busybox) {
  const version = versionOf(["podman", "--version"]);
  if (version === undefined) return undefined;
  const own = ["podman", ...runtime(), "--cgroup-manager", "cgroupfs", ...storage(place, "podman")];
  if (!ok([...own, "import", "-q", busybox, "localhost/busybox"])) return undefined;
  return {
    name: "podman",
    version,
    run: (...command) => [
      ...own,
      "run",
      "--rm",
      "--ulimit",
      "nofile=1024:1024",
      "--ulimit",
      "nproc=1024:1024",
      "--network",
      "none",
      "--cgroup-parent",
      CGROUP,
      "localhost/busybox",
      ...command,
    ],
    load: (archive, name) => pullAs(own, archive, name),
    push: (name, destination) => [...own, "push", "-q", "--tls-verify=false", name, `docker://${destination}`],
    pull: (source, directory) => ["podman", ...storageIn(directory), "pull", "-q", "--tls-verify=false", source],
  };
}

function pullAs(own, archive, name) {
  const script = 'from=$1 name=$2; shift 2; "$@" tag "$("$@" pull -q "$from")" "$name"';
  return ["sh", "-ec", script, "sh", `docker-archive:${archive}`, name, ...own];
}

/** Its stores are OCI image layouts. */
function skopeo() {
  const version = versionOf(["skopeo", "--version"]);
  if (version === undefined) return undefined;
  const copy = ["skopeo", "--insecure-policy", "copy", "-q"];
  return {
    name: "skopeo",
    version,
    push: (from, destination) => [...copy, "--dest-tls-verify=false", from, `docker://${destination}`],
    pull: (source, directory) => [...copy, "--src-tls-verify=false", `docker://${source}`, `oci:${directory}:result`],
  };
}

function docker(busybox) {
  const version = versionOf(["docker", "version", "--format", "{{.Server.Version}}"]);
  if (version === undefined || !ok(["docker", "import", busybox, "busybox"])) return undefined;
  return {
    name: "docker",
    version,
    build: (context, name, { cold }) => [
      "docker",
      "build",
      "--network",
      "none",
      ...(cold ? ["--no-cache"] : []),
      "-q",
      "-t",
      name,
      context,
    ],
    run: (...command) => ["docker", "run", "--rm", "--network", "none", "busybox", ...command],
  };
}
