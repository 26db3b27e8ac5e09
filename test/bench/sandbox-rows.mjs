import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const START = fileURLToPath(new URL("sandbox-start.mjs", import.meta.url));
const RUNTIME = fileURLToPath(new URL("../../dist/runtime.js", import.meta.url));
const STARTS = 20;

/** The rows of the sandbox: its start beside that of any program, and what a network of its own costs. The tools are those of workloads.mjs. */
export function sandboxRows({ row, once, fresh, freshStore, runs, build, tsbuild }) {
  /** What counts is not the time of the process, but the median that it has found. */
  const start = (name, kind, runtime, mebibytes, ...more) => {
    let directory;
    return {
      name: `${name}, ${mebibytes === 0 ? "small parent" : `parent of ${mebibytes} MiB`}`,
      kind,
      prepare: () => {
        directory = fresh("starts");
        mkdirSync(directory);
        return {
          argv: [process.execPath, START, runtime, String(mebibytes), String(STARTS), directory, join(directory, "median"), ...more],
        };
      },
      count: () => Number(readFileSync(join(directory, "median"), "utf8")),
    };
  };
  const inNetwork = (network) => ({
    name: `tsbuild, network ${network}`,
    kind: "ours",
    prepare: () => ({ argv: build(runs(), freshStore(), network) }),
  });
  const running = (network) => ({
    name: `tsbuild, network ${network}`,
    kind: "ours",
    prepare: () => ({
      argv: tsbuild("run", "--store", once("network-store", freshStore), "--rm", "--network", network, "busybox", "true"),
    }),
  });
  return [
    row("sandbox", 3, `start and end of a sandbox, median of ${STARTS}`, () => [
      start("sandbox", "ours", RUNTIME, 0),
      start("sandbox", "ours", RUNTIME, 500),
      start("sandbox without a list of system calls", "ours", RUNTIME, 0, "unconfined"),
      start("/bin/true without one", "floor", "-", 0),
      start("/bin/true without one", "floor", "-", 500),
    ]),
    row("run10-network", 5, "cold, ten trivial RUN, by network", () => ["none", "host", "isolated"].map(inNetwork)),
    row("runtrue-network", 10, "run --rm busybox true, by network", () => ["none", "host", "isolated"].map(running)),
  ];
}
