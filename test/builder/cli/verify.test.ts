import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { dispatch } from "../../../builder/cli/dispatch.ts";
import { hexOf } from "../../../store/digest.ts";
import { openStore } from "../../../store/store.ts";
import { putImage } from "../../store/sample-image.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { fakeIo } from "./fake-io.ts";

let root: string;
let layer: string;
beforeEach(async () => {
  root = join(temporaryDirectory("verify"), "store");
  await using store = await openStore(root);
  await putImage(store, ["whole"], [{ a: "1" }]);
  const image = await putImage(store, ["app", "app:v1"], [{ b: "2" }]);
  layer = join(root, "blobs/sha256", ...image.layers.map(({ diffId }) => hexOf(diffId)));
});

async function tsbuild(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const io = fakeIo({ env: { TSBUILD_ROOT: root } });
  const code = await dispatch(args, io);
  return { code, ...io.printed };
}

describe("verify", () => {
  it("is silent about a whole store", async () => {
    expect(await tsbuild("verify")).toEqual({ code: 0, stdout: "", stderr: "the store is whole\n" });
    expect(JSON.parse((await tsbuild("verify", "--format", "json")).stdout)).toEqual({ problems: [], repaired: false, lostImages: [] });
  });

  it("names what is damaged, changes nothing, and repairs it when told to", async () => {
    writeFileSync(layer, "x");
    const found = await tsbuild("verify");
    expect([found.code, found.stderr]).toEqual([1, "2 problems\n"]);
    expect(found.stdout).toMatch(/^blob sha256:\w+: its bytes hash to sha256:\w+\nimage app(:v1)?: .*\n$/);
    expect(await tsbuild("verify")).toEqual(found);
    const { code, stdout, stderr } = await tsbuild("verify", "--repair");
    expect([code, stderr]).toEqual([1, "2 problems, repaired\n"]);
    expect(stdout).toBe(`${found.stdout}removed the image app, app:v1: pull or build it again\n`);
    expect((await tsbuild("verify")).code).toBe(0);
    expect((await tsbuild("images", "--format", "json")).stdout).toMatch(/"whole"/);
  });

  it("prints what files and names say without controlling the terminal", async () => {
    writeFileSync(join(root, "blobs/sha256/\u001b[31m"), "");
    const { stdout } = await tsbuild("verify");
    expect(stdout).not.toContain("\u001b");
  });

  it("says why a store without its list cannot be read", async () => {
    rmSync(join(root, "index.json"));
    const { code, stderr } = await tsbuild("verify", "--repair");
    expect([code, stderr]).toEqual([1, expect.stringContaining("[STORE_DAMAGED]")]);
  });
});
