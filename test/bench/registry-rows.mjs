import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { freemem } from "node:os";
import { join } from "node:path";
import { layeredContext, mixedFilesContext } from "./contexts.mjs";
import { startCountingProxy, startRegistry } from "./registry.mjs";

/**
 * The rows that move images between a store and a docker-registry on 127.0.0.1. `tsbuild(...args)` makes an argument vector of ours, `peers` are
 * those of peers.mjs; the other tools are those of workloads.mjs.
 */
export function registryRows({ place, peers, row, once, fresh, lazily, freshStore, build, tsbuild }) {
  const big = lazily("mixed", mixedFilesContext);
  const layered = lazily("layered", layeredContext);
  const registry = () => once("registry", () => startRegistry(place));
  const quietly = (argv) => execFileSync(argv[0], argv.slice(1), { stdio: ["ignore", "ignore", "pipe"], maxBuffer: 1 << 26 });

  /** A store with the 500 MB image as `result`, its layers plain tars: what a build leaves. Nobody writes to it. */
  const bigStore = () =>
    once("big-store", () => {
      touchMemory();
      const store = freshStore();
      quietly(build(big(), store));
      return store;
    });
  /** The same for one run of ours, without what an earlier push may have remembered. Its blobs are the same files. */
  const storeToPush = () => {
    const store = fresh("store");
    execFileSync("cp", ["-al", bigStore(), store]);
    return store;
  };
  /** The image for peers with a store of their own, from whose unpacked layers they push. */
  const bigArchive = () =>
    once("big-archive", () => {
      const file = fresh("archive.tar");
      quietly(tsbuild("save", "--store", bigStore(), "result", "-o", file));
      return file;
    });
  const emptied = () => {
    registry().clear();
    return `${registry().host}/bench/result:v1`;
  };

  const pushed = peers.filter((peer) => peer.push !== undefined);
  const push = () => [
    {
      name: "tsbuild",
      kind: "ours",
      prepare: () => ({ argv: tsbuild("push", "--store", storeToPush(), "-q", "result", emptied()) }),
    },
    { name: "PUT of the compressed layer", kind: "floor", prepare: () => putOfLayer(emptied()) },
    ...(spawnSync("pigz", ["--version"]).error === undefined
      ? [
          {
            name: "pigz -6 of the layer",
            kind: "floor",
            prepare: () => ({ argv: ["sh", "-c", 'pigz -6 -c "$0" > /dev/null', layerTar()] }),
          },
        ]
      : []),
    ...pushed.map((peer) => ({
      name: peer.name,
      kind: "peer",
      prepare: () => {
        if (peer.load === undefined) return { argv: peer.push(`oci:${bigStore()}:result`, emptied()) };
        once(`${peer.name}-big`, () => quietly(peer.load(bigArchive(), "localhost/bench-result")));
        return { argv: peer.push("localhost/bench-result", emptied()) };
      },
    })),
  ];
  const layerTar = () => once("layer-tar", () => largestFile(join(bigStore(), "blobs/sha256")));
  const putOfLayer = (destination) => {
    const file = once("layer-gzip", () => {
      const path = fresh("layer.gz");
      execFileSync("sh", ["-c", 'gzip -1 -c "$0" > "$1"; sha256sum < "$1" | cut -c 1-64 > "$1.digest"', layerTar(), path]);
      return path;
    });
    const digest = readFileSync(`${file}.digest`, "latin1").trim();
    const uploads = `http://${destination.replace(/\/(.*):.*/, "/v2/$1")}/blobs/uploads/`;
    const script = `set -e
      location=$(curl -sS -X POST -D - -o /dev/null "$0" | tr -d '\\r' | sed -n 's/^Location: //p')
      curl -sS -f -T "$1" -H 'Content-Type: application/octet-stream' "$location&digest=sha256:$2"`;
    return { argv: ["sh", "-c", script, uploads, file, digest] };
  };

  /** The registry holds the 500 MB image, as ours pushed it, and nothing else. */
  const remote = () =>
    once("remote", () => {
      const destination = emptied();
      quietly(tsbuild("push", "--store", storeToPush(), "-q", "result", destination));
      return destination;
    });
  const pull = () => [
    { name: "tsbuild", kind: "ours", prepare: () => ({ argv: tsbuild("pull", "--store", freshStore(), "-q", remote()) }) },
    {
      name: "GET of the layer, sha256sum",
      kind: "floor",
      prepare: () => ({ argv: ["sh", "-ec", 'curl -sS -f "$0" | tee "$1" | sha256sum', layerUrl(), fresh("blob")] }),
    },
    {
      name: "GET of the layer, gzip -dc | sha256sum",
      kind: "floor",
      prepare: () => ({ argv: ["sh", "-ec", 'curl -sS -f "$0" | tee "$1" | gzip -dc | sha256sum', layerUrl(), fresh("blob")] }),
    },
    ...peers
      .filter((peer) => peer.pull !== undefined)
      .map((peer) => ({ name: peer.name, kind: "peer", prepare: () => ({ argv: peer.pull(remote(), fresh(`pull-${peer.name}`)) }) })),
  ];
  const layerUrl = () =>
    once("layer-url", () => {
      const [, host, name, tag] = /^([^/]+)\/(.*):(.*)$/.exec(remote());
      const accept = "Accept: application/vnd.oci.image.manifest.v1+json";
      const manifest = JSON.parse(
        execFileSync("curl", ["-sS", "-f", "-H", accept, `http://${host}/v2/${name}/manifests/${tag}`], { encoding: "utf8" }),
      );
      const [largest] = manifest.layers.sort((a, b) => b.size - a.size);
      return `http://${host}/v2/${name}/blobs/${largest.digest}`;
    });

  let edits = 0;
  /** Builds and pushes once; then, for every run, one file is changed, and the bytes that building and pushing again moves are counted. */
  const rebuilt = (name, kind, buildArgv, pushArgv) => {
    const proxy = () => once("proxy", () => startCountingProxy(place, registry().host));
    return {
      name,
      kind,
      count: () => {
        const { sent, received } = proxy().take();
        return sent + received;
      },
      prepare: () => {
        const destination = `${proxy().host}/bench/${name}:v1`;
        const commands = [buildArgv(layered(), destination), pushArgv(destination)];
        once(`wire-${name}`, () => commands.forEach(quietly));
        writeFileSync(join(layered(), "src/file-100.txt"), `edit ${++edits}\n`);
        proxy().take();
        return { argv: inTurn(commands) };
      },
    };
  };
  const wire = () => {
    const store = once("wire-store", freshStore);
    const ours = rebuilt(
      "tsbuild",
      "ours",
      (context, destination) => tsbuild("build", "--store", store, "--network", "none", "--progress", "quiet", "-t", destination, context),
      (destination) => tsbuild("push", "--store", store, "-q", destination),
    );
    const theirs = pushed
      .filter((peer) => peer.build !== undefined)
      .map((peer) =>
        rebuilt(
          peer.name,
          "peer",
          (context, destination) => peer.build(context, destination, { cold: false }),
          (destination) => peer.push(destination, destination),
        ),
      );
    return [ours, ...theirs];
  };

  return [
    row("push", 3, "500 MB in 30,000 files to a registry on 127.0.0.1, compressed on the way", push),
    row("pull", 3, "the same from it into an empty store; podman also unpacks it, skopeo reads no layer", pull),
    row(
      "wire",
      3,
      "bytes moved by building and pushing again after one of 300 small files changed, beside 20 MB that did not",
      wire,
      "bytes",
    ),
  ];
}

/** One command after the other, as one. */
function inTurn(commands) {
  const script = `for (const [file, ...args] of JSON.parse(process.argv[1])) {
    const { status } = require("child_process").spawnSync(file, args, { stdio: "inherit" });
    if (status !== 0) process.exit(status ?? 1);
  }`;
  return [process.execPath, "-e", script, JSON.stringify(commands)];
}

/** Machines that hand free memory back to their host are slow to get it again: that must not be in anybody's time. */
function touchMemory() {
  const gigabytes = Math.min(6, Math.floor(freemem() / 2 ** 31));
  spawnSync(process.execPath, ["-e", `const kept = Array.from({ length: ${gigabytes} }, () => Buffer.alloc(2 ** 30, 1));`]);
}

function largestFile(directory) {
  const files = readdirSync(directory).map((name) => join(directory, name));
  return files.sort((a, b) => statSync(b).size - statSync(a).size)[0];
}
