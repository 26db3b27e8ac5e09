import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { dispatch } from "../../../builder/cli/dispatch.ts";
import { storePaths } from "../../../store/store-paths.ts";
import { fakeImage } from "../../support/registry/fake-image.ts";
import { type FakeRegistry, startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { fakeIo } from "./fake-io.ts";

// A layer of two entries stands for one above the defaults: who reads it with the settings' limits is refused where they are lower.

let fake: FakeRegistry;
let home: string;
const store = () => join(home, "store");

beforeAll(async () => {
  fake = await startFakeRegistry();
  fake.putImage("app", "1", await fakeImage({ layers: [{ a: "a", b: "b" }] }));
  home = temporaryDirectory("raised-limits");
  mkdirSync(join(home, "tsbuild"));
  await mustDo(2, "pull", "-q", `${fake.host}/app:1`);
  await mustDo(2, "tag", `${fake.host}/app:1`, "app");
});
afterAll(() => fake.close());
// So that the layer's blob must be read again.
beforeEach(() => {
  const layers = storePaths.layers(store());
  for (const layer of readdirSync(layers)) rmSync(join(layers, layer, "tree"), { force: true });
});

async function withEntries(most: number, argv: readonly string[]): Promise<{ code: number; text: string }> {
  writeFileSync(join(home, "tsbuild/tsbuild.toml"), `[store]\nmax_layer_entries = ${most}\n`);
  const io = fakeIo({ env: { HOME: home, XDG_CONFIG_HOME: home } });
  const code = await dispatch([...argv, "--store", store()], io);
  return { code, text: io.printed.stdout + io.printed.stderr };
}

async function mustDo(most: number, ...argv: readonly string[]): Promise<void> {
  const { code, text } = await withEntries(most, argv);
  expect(code, text).toBe(0);
}

const recompressed = ["--compression", "zstd", "--force-compression"] as const;

describe("the limits of a layer in the settings", () => {
  it.each<[string, () => readonly string[]]>([
    ["history", () => ["history", "app"]],
    ["diff", () => ["diff", "app", "app"]],
    ["export", () => ["export", "app", "-o", `${home}/rootfs.tar`]],
    ["save", () => ["save", ...recompressed, "app", "-o", `${home}/app.tar`]],
    ["push", () => ["push", "-q", ...recompressed, "app", `${fake.host}/again:1`]],
    ["verify", () => ["verify"]],
  ])("are those of %s, wherever the store is named", async (_name, argv) => {
    expect((await withEntries(1, argv())).text).toContain("more than 1 entries");
    expect((await withEntries(2, argv())).text).not.toContain("more than");
  });
});
