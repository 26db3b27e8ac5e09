import { execFileSync, spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { layerOfBytesContext, layerOfFilesContext } from "./contexts.mjs";

/** The rows of the layer codec: one layer of 30,000 small files, and one of 1 GiB. The tools are those of workloads.mjs. */
export function layerRows({ row, once, fresh, lazily, freshStore, build, tsbuild }) {
  const quietly = (argv) => execFileSync(argv[0], argv.slice(1), { stdio: ["ignore", "ignore", "pipe"] });
  const layers = [
    { name: "30k", what: "30,000 files of 1 to 8 KiB", rounds: 5, context: lazily("layer-30k", layerOfFilesContext) },
    { name: "1g", what: "four files of 256 MiB", rounds: 3, context: lazily("layer-1g", layerOfBytesContext) },
  ];
  return layers.flatMap(({ name, what, rounds, context }) => {
    const files = () => join(context(), "files");
    // What a run leaves goes before the next: gigabytes a round would fill the memory. That is not timed.
    const last = new Map();
    const place = (kind) => {
      const old = last.get(kind);
      if (old !== undefined) rmSync(old, { recursive: true, force: true });
      const made = fresh(`${name}-${kind}`);
      last.set(kind, made);
      return made;
    };
    const store = (kind, from) => {
      const made = place(kind);
      execFileSync("cp", ["-a", from, made]);
      return made;
    };
    const empty = () => once("layer-rows-empty", freshStore);
    const tar = () =>
      once(`layer-tar-${name}`, () => {
        const made = fresh(`${name}.tar`);
        quietly(["tar", "-cf", made, "-C", files(), "."]);
        return made;
      });
    const compressed = () =>
      once(`layer-gz-${name}`, () => {
        const made = fresh(`${name}.tar.gz`);
        quietly(["sh", "-c", 'gzip -1 -c "$0" > "$1"', tar(), made]);
        return made;
      });
    const built = () =>
      once(`layer-built-${name}`, () => {
        const made = store("built", empty());
        quietly(build(context(), made));
        return made;
      });
    const indexing = (archive) => ({
      name: "tsbuild import",
      kind: "ours",
      prepare: () => ({ argv: tsbuild("import", "--store", store("index", empty()), archive(), "imported") }),
    });
    const copy = { name: "cp -a", kind: "floor", prepare: () => ({ argv: ["cp", "-a", files(), place("copy")] }) };

    return [
      row(`pack-${name}`, rounds, `a layer of ${what} is written: cold COPY`, () => [
        { name: "tsbuild build", kind: "ours", prepare: () => ({ argv: build(context(), store("pack", empty())) }) },
        { name: "tar | sha256sum", kind: "floor", argv: ["sh", "-c", 'tar -cf - -C "$0" . | sha256sum', files()] },
        copy,
      ]),
      row(`index-${name}`, rounds, `a tar of ${what} becomes a layer: copied, hashed and indexed`, () => [
        indexing(tar),
        {
          name: "tee | sha256sum",
          kind: "floor",
          prepare: () => ({ argv: ["sh", "-c", 'tee "$1" < "$0" | sha256sum', tar(), place("tee")] }),
        },
      ]),
      row(`index-gzip-${name}`, rounds, "the same from gzip", () => [
        indexing(compressed),
        { name: "gzip -dc | sha256sum", kind: "floor", prepare: () => ({ argv: ["sh", "-c", 'gzip -dc "$0" | sha256sum', compressed()] }) },
        ...(spawnSync("pigz", ["--version"]).error === undefined
          ? [
              {
                name: "pigz -dc | sha256sum",
                kind: "floor",
                prepare: () => ({ argv: ["sh", "-c", 'pigz -dc "$0" | sha256sum', compressed()] }),
              },
            ]
          : []),
      ]),
      row(`unpack-${name}`, rounds, `a layer of ${what} is unpacked: the first run of an image`, () => [
        {
          name: "tsbuild run",
          kind: "ours",
          prepare: () => ({ argv: tsbuild("run", "--store", store("unpack", built()), "--rm", "--network", "none", "result", "true") }),
        },
        {
          name: "tar -x",
          kind: "floor",
          prepare: () => ({ argv: ["sh", "-c", 'mkdir "$1" && tar -xf "$0" -C "$1"', tar(), place("untar")] }),
        },
        copy,
      ]),
    ];
  });
}
