import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { type BuildEvent, type BuildOptions, type BuildResult, build } from "../../../builder/index.ts";
import type { ContextSource } from "../../../builder/options.ts";
import { saveImages } from "../../../store/archive/save.ts";
import { importRootfs } from "../../../store/index.ts";
import { openStore } from "../../../store/store.ts";
import { busyboxTar } from "../bases.ts";
import { temporaryDirectory } from "../temporary.ts";
import { type BuildInput, type ContextSpec, type Files, textOf } from "./case.ts";
import { makeFiles, tarOf } from "./context-files.ts";
import { type Servers, startServers } from "./servers.ts";

/** A store for the rows of one file, and what its bases need. */
export interface Bench {
  readonly store: string;
}

const benches = new WeakMap<Bench, { busybox?: Promise<void> }>();

export function newBench(): Bench {
  const bench = { store: join(temporaryDirectory("cases"), "store") };
  benches.set(bench, {});
  return bench;
}

export const busyboxConfig = { Cmd: ["sh"], Env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"] };

/** The busybox base, imported when a row first wants it. */
export function needBusybox(bench: Bench): Promise<void> {
  const known = benches.get(bench) ?? {};
  known.busybox ??= openStore(bench.store).then(async (store) => {
    await using _store = store;
    await importRootfs(store, { file: busyboxTar() }, { names: ["busybox"], config: busyboxConfig });
  });
  return known.busybox;
}

/** What one build was and said. */
export interface Built {
  readonly result: BuildResult;
  readonly events: readonly BuildEvent[];
}

/** Everything of a row that stands before its build: images, servers, context directories. The caller disposes it. */
export interface Prepared extends AsyncDisposable {
  readonly servers: Servers;
  /** The context's directory, where it is one. */
  readonly directory: string;
  /** What the library is called with. Contexts that are streams can be read once: for each call anew. */
  options(change?: Change): Promise<BuildOptions>;
  /** Builds with the context as it is now. */
  build(change?: Change): Promise<Built>;
}

type Change = Partial<Pick<BuildInput, "dockerfile" | "options">>;

/** The name of a row's image. */
export const imageName = "app";

export async function prepare(bench: Bench, input: BuildInput): Promise<Prepared> {
  const mentioned = JSON.stringify(input);
  if (mentioned.includes("busybox")) await needBusybox(bench);
  for (const [name, image] of Object.entries(input.images ?? {})) {
    const base = await prepare(bench, { ...image, options: { tags: [name] } });
    await base.build();
  }
  const servers = await startServers(input.serve ?? {});
  const directory = await contextDirectory(input.context ?? {}, servers);
  const optionsOf: Prepared["options"] = async ({ dockerfile = input.dockerfile, options = input.options } = {}) => {
    const { main, contexts = {} } = input;
    const named: [string, ContextSource][] = [];
    for (const [name, spec] of Object.entries(contexts)) named.push([name, await sourceOf(spec, bench, servers)]);
    return {
      context: main === undefined ? directory : await sourceOf(main, bench, servers),
      ...(named.length === 0 ? {} : { contexts: Object.fromEntries(named) }),
      ...(dockerfile === undefined ? {} : { dockerfile: { text: servers.addressed(textOf(dockerfile)) } }),
      store: bench.store,
      tags: [imageName],
      platform: "linux/amd64",
      pull: "never",
      ...options,
    };
  };
  return {
    servers,
    directory,
    options: optionsOf,
    async build(change) {
      const events: BuildEvent[] = [];
      return { result: await build({ ...(await optionsOf(change)), onEvent: (event) => void events.push(event) }), events };
    },
    [Symbol.asyncDispose]: () => servers[Symbol.asyncDispose](),
  };
}

async function contextDirectory(files: Files, servers: Servers): Promise<string> {
  const directory = join(temporaryDirectory("context"), "context");
  mkdirSync(directory);
  await makeFiles(directory, addressedFiles(files, servers));
  return directory;
}

function addressedFiles(files: Files, { addressed }: Servers): Files {
  return Object.fromEntries(Object.entries(files).map(([path, file]) => [path, typeof file === "string" ? addressed(file) : file]));
}

async function sourceOf(spec: ContextSpec, { store }: Bench, servers: Servers): Promise<ContextSource> {
  switch (spec.kind) {
    case "directory":
      return { kind: "directory", path: await contextDirectory(spec.files, servers) };
    case "tar":
      return { kind: "tar", bytes: Readable.from([await tarOf(spec)]) };
    case "text":
      return { kind: "tar", bytes: Readable.from([Buffer.from(textOf(spec.text))]) };
    case "git":
    case "http":
      return { kind: spec.kind, url: servers.addressed(spec.url) };
    case "oci-layout": {
      const path = join(temporaryDirectory("layout"), "layout");
      await using opened = await openStore(store);
      const image = await opened.images.open(spec.image);
      await saveImages(opened, [{ image, ...(spec.name === undefined ? {} : { names: [spec.name] }) }], { directory: path });
      return { kind: "oci-layout", path, ...(spec.name === undefined ? {} : { name: spec.name }) };
    }
    default:
      return spec;
  }
}
