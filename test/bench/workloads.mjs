import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ignoredContext, longDockerfile, manyFilesContext, smallContext, tenRunsContext } from "./contexts.mjs";
import { layerRows } from "./layer-rows.mjs";
import { registryRows } from "./registry-rows.mjs";
import { sandboxRows } from "./sandbox-rows.mjs";

const CLI = fileURLToPath(new URL("../../dist/tsbuild.js", import.meta.url));

/** What the program's first line gives to Node. */
const nodeFlags = () => readFileSync(CLI, "utf8").split("\n", 1)[0].split(" ").slice(3);

const NODE_FLOOR = { name: "node -e 0", kind: "floor", argv: [process.execPath, "-e", "0"] };

/**
 * The rows: { name, note, unit, rounds, contenders }, each contender { name, kind: ours|floor|peer, argv, env, prepare, count }. All they read and
 * write lies below `place`; `nodes` are other node binaries to show the start-up of.
 */
export function workloads({ place, busybox, peers, nodes }) {
  let count = 0;
  const fresh = (name) => join(place, `${name}-${++count}`);
  const contexts = join(place, "contexts");
  const template = join(place, "template-store");
  const once = memo();

  const importBusybox = () =>
    once("template", () => {
      const args = ["--", CLI, "import", "--store", template, "--change", 'CMD ["sh"]', "--change", "ENV PATH=/bin", busybox, "busybox"];
      execFileSync(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
    });
  /** A store that holds busybox and nothing else, for one run. */
  const freshStore = () => {
    importBusybox();
    const store = fresh("store");
    execFileSync("cp", ["-a", template, store]);
    return store;
  };
  const tsbuild = (...args) => [process.execPath, ...nodeFlags(), CLI, ...args];
  const build = (context, store, network = "none") =>
    tsbuild("build", "--store", store, "--network", network, "--progress", "quiet", "-t", "result", context);
  const cold = (context) => ({ name: "tsbuild", kind: "ours", prepare: () => ({ argv: build(context, freshStore()) }) });
  const warm = (context, name) => ({
    name: "tsbuild",
    kind: "ours",
    prepare: () => {
      const store = once(`warm-${name}`, () => {
        const made = freshStore();
        execFileSync(process.execPath, build(context, made).slice(1), { stdio: ["ignore", "ignore", "pipe"] });
        return made;
      });
      return { argv: build(context, store) };
    },
  });
  const peerBuilds = (context, name, { cold }) =>
    peers
      .filter((peer) => peer.build !== undefined)
      .map((peer) => ({
        name: peer.name,
        kind: "peer",
        prepare: () => {
          const argv = peer.build(context, `bench-${name}`, { cold });
          if (!cold) once(`${peer.name}-${name}`, () => execFileSync(argv[0], argv.slice(1), { stdio: ["ignore", "ignore", "pipe"] }));
          return { argv };
        },
      }));

  mkdirSync(contexts, { recursive: true });
  const lazily = (name, make) => () => once(`context-${name}`, () => make(join(contexts, name)));
  const small = lazily("small", smallContext);
  const many = lazily("many", manyFilesContext);
  const runs = lazily("runs", tenRunsContext);
  const long = lazily("long", longDockerfile);
  const ignored = lazily("ignored", ignoredContext);

  /** Contexts are made when their row comes, so that `--only` does no needless work. */
  const row = (name, rounds, note, contenders, unit = "ms") => ({
    name,
    rounds,
    note,
    unit,
    get contenders() {
      return once(`row-${name}`, contenders);
    },
  });
  return [
    row("start", 20, "tsbuild version", () => [
      { name: "tsbuild version", kind: "ours", argv: tsbuild("version") },
      NODE_FLOOR,
      ...nodes.flatMap((node) => [
        { name: `${node} tsbuild version`, kind: "peer", argv: [node, ...nodeFlags(), CLI, "version"] },
        { name: `${node} -e 0`, kind: "floor", argv: [node, "-e", "0"] },
      ]),
    ]),
    row("warm", 15, "fully cached rebuild, 12 instructions, small context", () => [
      warm(small(), "small"),
      NODE_FLOOR,
      ...peerBuilds(small(), "small", { cold: false }),
    ]),
    row("warm20k", 7, "fully cached rebuild with 20,000 files in COPY . /data", () => [
      warm(many(), "many"),
      { name: "find -printf of all files", kind: "floor", argv: ["find", many(), "-printf", "%s %T@\\n"] },
      ...peerBuilds(many(), "many", { cold: false }),
    ]),
    row("small20k", 5, "cold COPY of 20,000 files of 1 to 8 KiB", () => [
      cold(many()),
      { name: "tar | sha256sum", kind: "floor", argv: ["sh", "-c", 'tar -cf - -C "$0" . | sha256sum', many()] },
      { name: "cp -a", kind: "floor", prepare: () => ({ argv: ["cp", "-a", many(), fresh("copy")] }) },
      ...peerBuilds(many(), "many", { cold: true }),
    ]),
    row("parse5000", 9, "reading a Dockerfile of 5,000 lines (--call=targets)", () => [
      { name: "tsbuild", kind: "ours", argv: tsbuild("build", "--call=targets", long()) },
      { name: "tsbuild version", kind: "floor", argv: tsbuild("version") },
    ]),
    row("ignore100k", 5, "100 ignore patterns against 100,000 paths, next to nothing is copied", () => [
      cold(ignored()),
      { name: "find -printf of all files", kind: "floor", argv: ["find", ignored(), "-printf", "%s %T@\\n"] },
      ...peerBuilds(ignored(), "ignored", { cold: true }),
    ]),
    row("run10", 7, "cold, ten trivial RUN", () => [cold(runs()), NODE_FLOOR, ...peerBuilds(runs(), "runs", { cold: true })]),
    row("runtrue", 15, "run --rm busybox true", () => [
      {
        name: "tsbuild",
        kind: "ours",
        prepare: () => ({
          argv: tsbuild("run", "--store", once("run-store", freshStore), "--rm", "--network", "none", "busybox", "true"),
        }),
      },
      NODE_FLOOR,
      ...peers.filter((peer) => peer.run !== undefined).map((peer) => ({ name: peer.name, kind: "peer", argv: peer.run("true") })),
    ]),
    ...sandboxRows({ row, once, fresh, freshStore, runs, build, tsbuild }),
    ...layerRows({ row, once, fresh, lazily, freshStore, build, tsbuild }),
    ...registryRows({ place, peers, row, once, fresh, lazily, freshStore, build, tsbuild }),
  ];
}

function memo() {
  const values = new Map();
  return (key, make) => {
    if (!values.has(key)) values.set(key, make());
    return values.get(key);
  };
}
