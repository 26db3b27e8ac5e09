import { closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { contextDirectory } from "../support/context.ts";
import { type Mutation, mutant } from "../support/mutant.ts";
import { needs } from "../support/needs.ts";
import { peakMemory } from "../support/peak-memory.ts";
import { type DebianRegistry, startDebianRegistry } from "../support/registry/debian-registry.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const mebibyte = 2 ** 20;

/** A context whose one file has so many MiB: no two pages of it are the same, and it compresses well. */
function contextOf(mebibytes: number): string {
  const context = contextDirectory({ Dockerfile: "FROM scratch\nCOPY content /content\n" });
  const block = Buffer.alloc(mebibyte, "neither random nor empty\n");
  const file = openSync(join(context, "content"), "w");
  for (let n = 0; n < mebibytes; n++) {
    for (let at = 0; at < mebibyte; at += 4096) block.writeUInt32LE(n * 256 + at / 4096, at);
    writeSync(file, block);
  }
  closeSync(file);
  return context;
}

/** A context of so many empty files, a hundred in a directory. */
function contextOfFiles(count: number): string {
  const context = contextDirectory({ Dockerfile: "FROM scratch\nCOPY files /files\n" });
  for (let i = 0; i < count; i++) {
    const directory = join(context, "files", `directory-${Math.floor(i / 100)}`);
    if (i % 100 === 0) mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `file-${i}`), "");
  }
  return context;
}

const operations = ["build", "push", "pull", "save", "load", "export"] as const;
type Operation = (typeof operations)[number];

let registry: DebianRegistry;
let pushed = 0;

/** The peak of each operation on an image with this context's content. */
async function peaksOf(context: string, wanted: readonly Operation[], cli?: string): Promise<ReadonlyMap<Operation, number>> {
  const place = temporaryDirectory("memory");
  const inPlace = (name: string): string => join(place, name);
  const store = inPlace("store");
  const remote = `${registry.host}/image:${++pushed}`;
  const calls: Readonly<Record<Operation, readonly string[]>> = {
    build: ["build", "--store", store, "--network", "none", "-q", "-t", "image", context],
    push: ["push", "--store", store, "image", remote],
    pull: ["pull", "--store", inPlace("pulled"), remote],
    save: ["save", "--store", store, "image", "-o", inPlace("saved.tar")],
    load: ["load", "--store", inPlace("loaded"), inPlace("saved.tar")],
    export: ["export", "--store", store, "image", "-o", inPlace("files.tar")],
  };
  const peaks = new Map<Operation, number>();
  try {
    for (const operation of operations) if (wanted.includes(operation)) peaks.set(operation, await peakMemory(calls[operation], cli));
  } finally {
    rmSync(place, { recursive: true });
    rmSync(context, { recursive: true });
  }
  return peaks;
}

interface Peaks {
  readonly small: ReadonlyMap<Operation, number>;
  readonly large: ReadonlyMap<Operation, number>;
}

/** By how many bytes the peak grew. */
function growth({ small, large }: Peaks, operation: Operation): number {
  return (large.get(operation) ?? Number.NaN) - (small.get(operation) ?? Number.NaN);
}

/** MiB. */
const contents = { small: 16, large: 160 };
/** Chunks under way, and those that the garbage collector has not come to: some 20 MiB, however much goes through. */
const mostContentBytes = 32 * mebibyte;
const peaksByContent = async (wanted: readonly Operation[], cli?: string): Promise<Peaks> => ({
  small: await peaksOf(contextOf(contents.small), wanted, cli),
  large: await peaksOf(contextOf(contents.large), wanted, cli),
});

const entries = { small: 2_000, large: 20_000 };
/** Bytes for each entry more, as docs/store.md has it: some 2 KiB when this was written, of `load` and `export` 3. */
const mostEntryBytes = 5 * 1024;
const entryOperations = ["build", "save", "load", "export"] as const;
const peaksByEntries = async (wanted: readonly Operation[], cli?: string): Promise<Peaks> => ({
  small: await peaksOf(contextOfFiles(entries.small), wanted, cli),
  large: await peaksOf(contextOfFiles(entries.large), wanted, cli),
});
const growthByEntry = (peaks: Peaks, operation: Operation): number => growth(peaks, operation) / (entries.large - entries.small);

describe("the most memory at once", needs("dockerRegistry"), () => {
  let byContent: Peaks;
  let byEntries: Peaks;
  beforeAll(async () => {
    registry = await startDebianRegistry({ directory: temporaryDirectory("registry") });
    byContent = await peaksByContent(operations);
    byEntries = await peaksByEntries(entryOperations);
  });
  afterAll(() => registry.close());

  it.each(operations)("is the same for ten times the content: %s", (operation) => {
    expect(growth(byContent, operation)).toBeLessThan(mostContentBytes);
  });

  it.each(entryOperations)("grows with the number of entries by a bounded amount for each: %s", (operation) => {
    expect(growthByEntry(byEntries, operation)).toBeLessThan(mostEntryBytes);
  });

  it("is seen to grow in a program that keeps chunks and what it wrote of entries", async () => {
    const { cli } = await mutant(hoarding, { bundle: true });
    expect(growth(await peaksByContent(["build", "save"], cli), "save")).toBeGreaterThan(
      ((contents.large - contents.small) * mebibyte) / 2,
    );
    expect(growthByEntry(await peaksByEntries(["build"], cli), "build")).toBeGreaterThan(mostEntryBytes);
  });
});

const hoarding: readonly Mutation[] = [
  {
    file: "store/file-bytes.ts",
    from: "const chunkBytes = 256 * 1024;",
    to: "const chunkBytes = 256 * 1024;\nconst kept: Buffer[] = [];",
  },
  { file: "store/file-bytes.ts", from: "      yield bytesRead", to: "      kept.push(buffer);\n      yield bytesRead" },
  {
    file: "store/layer/canonical.ts",
    from: 'checkEntryPath(entry.path, "writing a layer");',
    to: 'checkEntryPath(entry.path, "writing a layer");\n    kept.push(Buffer.alloc(16384, 1));',
  },
  {
    file: "store/layer/canonical.ts",
    from: "/** Orders paths like a walk",
    to: "const kept: Buffer[] = [];\n/** Orders paths like a walk",
  },
];
