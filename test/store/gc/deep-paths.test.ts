import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { removeTree } from "../../../runtime-addon/index.ts";
import { collectGarbage } from "../../../store/gc/collect.ts";
import { keepLimits } from "../../../store/gc/limits.ts";
import { storeUsage, type UsageKind } from "../../../store/gc/usage.ts";
import { openStore, type Store } from "../../../store/store.ts";
import { makeDeepDirectory } from "../../support/deep-directory.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

// A command makes directories in each other by relative names, deeper than a path of a system call can say.

let root: string;
let store: Store;
beforeEach(async () => {
  root = join(temporaryDirectory("deep"), "store");
  store = await openStore(root);
});
afterEach(async () => {
  await store.close();
  await removeTree(root);
});

const content = "x".repeat(100_000);

/** Where such directories may be left, and what the store calls it. */
const places: readonly (readonly [name: string, place: string, kind: UsageKind])[] = [
  ["a cache mount", `v1/cache-mounts/${"0".repeat(64)}-0/data`, "cache-mounts"],
  ["what a failed step left", "v1/failed/000000000000001-00000000/upper", "failed"],
  ["a repository", `v1/git/${"0".repeat(32)}`, "git"],
  ["what a killed process left", "v1/tmp/killed/upper", "temp"],
];

describe.each(places)("directories too deep for a path in %s", (_, place, kind) => {
  beforeEach(() => {
    mkdirSync(join(root, place), { recursive: true });
    if (kind === "cache-mounts") writeFileSync(join(root, place, "../lock"), "");
    makeDeepDirectory(join(root, place), content);
  });

  it("are counted by df, and go with prune --all", async () => {
    const row = (await storeUsage(store)).find((one) => one.kind === kind);
    expect(row?.bytes).toBeGreaterThan(content.length);
    const freed = await collectGarbage(store, { all: true });
    expect(freed.totalBytes).toBeGreaterThan(content.length);
    expect(existsSync(join(root, place))).toBe(false);
  });

  it("do not keep a store from being brought within its limits", async () => {
    const freed = await keepLimits(store, { maxStoreBytes: 50_000 });
    expect(freed?.totalBytes).toBeGreaterThan(content.length);
    expect(existsSync(join(root, place))).toBe(false);
  });
});
