import { beforeEach, describe, expect, it } from "vitest";
import type { Command } from "../../../builder/cli/command.ts";
import { diff } from "../../../builder/cli/diff.ts";
import { history } from "../../../builder/cli/history.ts";
import { images } from "../../../builder/cli/images.ts";
import { inspect } from "../../../builder/cli/inspect.ts";
import { rmi } from "../../../builder/cli/rmi.ts";
import { tag } from "../../../builder/cli/tag.ts";
import { canonicalJson } from "../../../store/canonical-json.ts";
import { digestOf } from "../../../store/digest.ts";
import type { Image } from "../../../store/images.ts";
import { type Descriptor, mediaTypes, type Platform } from "../../../store/oci.ts";
import { openStore, type Store } from "../../../store/store.ts";
import { putImage } from "../../store/sample-image.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { fakeIo } from "./fake-io.ts";

let root: string;
beforeEach(() => {
  root = `${temporaryDirectory("look")}/store`;
});

async function run(command: Command, ...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const io = fakeIo({ env: { HOME: root, TSBUILD_ROOT: root } });
  const code = await command.main(argv, io);
  return { code, ...io.printed };
}

async function json(command: Command, ...argv: string[]) {
  return JSON.parse((await run(command, "--format", "json", ...argv)).stdout);
}

const kilobyte = "k".repeat(1000);
const arm: Platform = { os: "linux", architecture: "arm64" };
const missing: Descriptor = {
  mediaType: mediaTypes.manifest,
  digest: digestOf("never fetched"),
  size: 13,
  platform: { os: "linux", architecture: "s390x" },
};

/** An image for two platforms, and a third that is not in the store. */
async function putMulti(store: Store, name: string): Promise<{ amd: Image; arm: Image }> {
  const amd = await putImage(store, [], [{ a: kilobyte }]);
  const other = await putImage(store, [], [{ a: `${kilobyte}2` }], arm);
  const bytes = canonicalJson({
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: [{ ...amd.descriptor, platform: { os: "linux", architecture: "amd64" } }, { ...other.descriptor, platform: arm }, missing],
    annotations: { "org.example.team": "web" },
  });
  for (const image of [amd, other]) await store.images.remove(image);
  const index = { mediaType: mediaTypes.index, bytes };
  const { rawManifest, rawConfig } = amd;
  await store.images.putRaw({ manifestType: mediaTypes.manifest, rawManifest, rawConfig, names: [name], indexes: [index] });
  return { amd, arm: other };
}

describe("images", () => {
  it("lists those that a pattern names, as docker does", async () => {
    await using store = await openStore(root);
    await putImage(store, ["app:v1", "team/web"], [{ a: "1" }]);
    await putImage(store, ["other"], [{ a: "2" }]);
    const named = async (...patterns: string[]) => (await json(images, ...patterns)).map(({ names }: { names: string[] }) => names[0]);
    expect([await named("app"), await named("team/*"), await named("app:v2")]).toEqual([["app:v1"], ["app:v1"], []]);
    await expect(run(images, "a", "b")).rejects.toMatchObject({ code: "WRONG_OPERANDS" });
  });

  it("tells what an image has alone, and what it shares", async () => {
    await using store = await openStore(root);
    await putImage(store, ["a"], [{ base: kilobyte }, { x: kilobyte }], { created: "2026-01-02T00:00:00Z" });
    await putImage(store, ["b"], [{ base: kilobyte }], { created: "2026-01-01T00:00:00Z" });
    const [a, b] = await json(images);
    expect(a.sharedBytes).toBe(b.sharedBytes);
    expect(a.sharedBytes).toBe(2560);
    expect(a.ownBytes - b.ownBytes).toBeGreaterThan(2560);
    const blobs: number[] = [];
    for await (const { size } of store.blobs.list()) blobs.push(size);
    expect(a.ownBytes + b.ownBytes + a.sharedBytes).toBe(blobs.reduce((sum, size) => sum + size, 0));
    // Its layers alone, wherever its size is told.
    expect([a.sizeBytes, a.platforms[0].sizeBytes, (await json(inspect, "a")).sizeBytes]).toEqual([5120, 5120, 5120]);
  });

  it("lists the platforms of one index, those that are not here too", async () => {
    await using store = await openStore(root);
    const { amd, arm } = await putMulti(store, "multi");
    const { stdout } = await run(images, "--all", "--digests", "--no-trunc");
    expect(stdout.split("\n").map((line) => line.split(/ {2,}/).slice(0, 4))).toEqual([
      ["NAME", "DIGEST", "PLATFORM", "IMAGE ID"],
      ["multi", amd.descriptor.digest, "linux/amd64", amd.imageId],
      ["multi", arm.descriptor.digest, "linux/arm64", arm.imageId],
      ["multi", missing.digest, "linux/s390x", "<not here>"],
      [""],
    ]);
    expect(await json(images)).toMatchObject([{ names: ["multi"], annotations: { "org.example.team": "web" }, platforms: [{}, {}, {}] }]);
  });

  it.each<[filters: string[], names: string[]]>([
    [["dangling=true"], ["<none>"]],
    [["dangling=false"], ["web:2", "web:1", "team/tool"]],
    [["label=team"], ["web:2", "web:1"]],
    [["label=team=red"], ["web:2"]],
    [["label=team", "label=team=blue"], ["web:1"]],
    [["reference=web"], ["web:2", "web:1"]],
    [["reference=web:*"], ["web:2", "web:1"]],
    [["reference=*/*:latest"], ["team/tool"]],
    [
      ["reference=web:1", "reference=*/tool"],
      ["web:1", "team/tool"],
    ],
    [["before=web:2"], ["web:1", "team/tool", "<none>"]],
    [["since=team/tool"], ["web:2", "web:1"]],
    [["since=team/tool", "label=team=blue"], ["web:1"]],
  ])("with the filters %j", async (filters, names) => {
    await using store = await openStore(root);
    const labelled = (team: string) => ({ config: { Labels: { team } } });
    await putImage(store, ["web:2"], [{ a: "2" }], { created: "2026-01-04T00:00:00Z", ...labelled("red") });
    await putImage(store, ["web:1"], [{ a: "1" }], { created: "2026-01-03T00:00:00Z", ...labelled("blue") });
    await putImage(store, ["team/tool"], [{ a: "3" }], { created: "2026-01-02T00:00:00Z" });
    await putImage(store, [], [{ a: "4" }], { created: "2026-01-01T00:00:00Z" });
    const { stdout } = await run(images, ...filters.map((filter) => `--filter=${filter}`));
    expect(
      stdout
        .trim()
        .split("\n")
        .slice(1)
        .map((line) => line.split(" ")[0]),
    ).toEqual(names);
  });

  it.each(["dangling", "dangling=maybe", "color=red", "=", "reference=["])("refuses the filter %s", async (filter) => {
    await using _store = await openStore(root);
    await expect(run(images, "--filter", filter)).rejects.toMatchObject({
      code: "INVALID_VALUE",
      message: `reading --filter: "${filter}" is no filter of images`,
    });
  });
});

describe("inspect", () => {
  it.each<[field: string, printed: string]>([
    ["config.Env", '[\n  "PATH=/bin"\n]\n'],
    ["config.Env.0", "PATH=/bin\n"],
    ["config.Labels.org.example.team", "web\n"],
    ["config.Labels.org", "dotless\n"],
    ["architecture", "amd64\n"],
    ["names.0", "app\n"],
    ["layers.0.size", "2048\n"],
  ])("--field %s", async (field, printed) => {
    await using store = await openStore(root);
    const config = { Env: ["PATH=/bin"], Labels: { "org.example.team": "web", org: "dotless" } };
    await putImage(store, ["app"], [{ a: "1" }], { config });
    expect(await run(inspect, "--field", field, "app")).toEqual({ code: 0, stdout: printed, stderr: "" });
  });

  it.each<[field: string, hint: string | undefined]>([
    ["config.evn", "did you mean config.Env?"],
    ["Config.Env", "did you mean config.Env?"],
    ["config.Cmd", "config has Env"],
    ["config.Env.1", "config.Env is a list of 1: fields are its numbers from 0"],
    ["config.Env.length", "config.Env is a list of 1: fields are its numbers from 0"],
    ["annotations.x", "annotations has no fields"],
    ["architecture.x", undefined],
    ["__proto__", "the image has names, imageId, manifest, architecture, os, sizeBytes, config, layers, history, annotations"],
  ])("says what there is instead of %s", async (field, hint) => {
    await using store = await openStore(root);
    await putImage(store, ["app"], [{ a: "1" }], { config: { Env: ["PATH=/bin"] } });
    const failed = run(inspect, "--field", field, "app");
    await expect(failed).rejects.toMatchObject({
      code: "FIELD_NOT_FOUND",
      message: `reading the field ${JSON.stringify(field)}: there is none`,
      hint,
    });
  });

  it("shows and opens each platform of an index, by flag, by digest and by id", async () => {
    await using store = await openStore(root);
    const { amd, arm } = await putMulti(store, "multi");
    const shown = JSON.parse((await run(inspect, "--platform", "linux/arm64", "multi")).stdout);
    expect(shown).toMatchObject({
      imageId: arm.imageId,
      index: {
        annotations: { "org.example.team": "web" },
        platforms: [
          { platform: "linux/amd64", digest: amd.descriptor.digest, isHere: true },
          { platform: "linux/arm64", digest: arm.descriptor.digest, isHere: true },
          { platform: "linux/s390x", digest: missing.digest, isHere: false },
        ],
      },
    });
    for (const text of [arm.imageId, arm.descriptor.digest, arm.imageId.slice(7, 19)]) {
      expect((await run(inspect, "--field", "architecture", text)).stdout).toBe("arm64\n");
    }
    expect((await run(inspect, "--field", "architecture", shown.index.digest)).stdout).toMatch(/^(amd64|arm64)\n$/);
    await expect(run(inspect, "--platform", "linux/s390x", "multi")).rejects.toMatchObject({
      code: "NOT_FOUND",
      hint: "tsbuild pull --platform linux/s390x multi",
    });
    await expect(run(inspect, "--platform", "linux/386", "multi")).rejects.toMatchObject({ code: "PLATFORM_NOT_FOUND" });
  });

  it("prints the documents as they are", async () => {
    await using store = await openStore(root);
    const { amd } = await putMulti(store, "multi");
    expect((await run(inspect, "--raw", amd.imageId)).stdout).toBe(amd.rawManifest.toString());
    expect((await run(inspect, "--raw=config", amd.imageId)).stdout).toBe(amd.rawConfig.toString());
    const index = (await run(inspect, "--raw=index", "multi")).stdout;
    expect(digestOf(index)).toBe((await store.images.open("multi")).listed.digest);
    await putImage(store, ["app"], [{ a: "1" }]);
    await expect(run(inspect, "--raw=index", "app")).rejects.toMatchObject({
      message: "inspecting app: it has no index, its manifest is listed alone",
    });
  });
});

describe("history", () => {
  it("tells what later steps waste of each step's files", async () => {
    await using store = await openStore(root);
    const layers = [
      { kept: kilobyte, gone: kilobyte, "d/": "", "d/replaced": kilobyte },
      { gone: null, "d/": "", "d/replaced": "new" },
      { d: null },
    ];
    const steps = ["one", "two", "three"].map((created_by) => ({ created_by }));
    await putImage(store, ["app"], layers, { history: [...steps, { created_by: "ENV", empty_layer: true }] });
    const rows: { createdBy: string; wastedBytes: number }[] = await json(history, "app");
    expect(rows.map(({ createdBy, wastedBytes }) => [createdBy, wastedBytes])).toEqual([
      ["ENV", 0],
      ["three", 0],
      ["two", 3],
      ["one", 2000],
    ]);
    expect((await run(history, "app")).stdout).toMatch(/one +6\.14 kB +2\.00 kB\n$/);
  });
});

describe("diff", () => {
  it("of an image with itself is empty", async () => {
    await using store = await openStore(root);
    await putImage(store, ["app"], [{ a: "1" }]);
    expect(await run(diff, "app", "app")).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  it("tells of files that are added, removed and changed, however they lie in layers", async () => {
    await using store = await openStore(root);
    await putImage(store, ["a"], [{ "d/": "", "d/old": "x", same: "s", text: "one", "was/": "", "was/in": "" }]);
    await putImage(store, ["b"], [{ same: "s" }, { "d/": "", "new/": "", "new/file": "x", text: "other" }, { was: "a file now" }]);
    const { code, stdout } = await run(diff, "a", "b");
    expect(code).toBe(1);
    expect(stdout.split("\n")).toEqual([
      "D /d/old",
      "A /new/",
      "A /new/file",
      "C /text (size 3 → 5, content)",
      "C /was (kind directory → file, mode 0755 → 0644)",
      "D /was/in",
      "",
    ]);
    expect((await json(diff, "a", "b")).files[3]).toEqual({
      path: "/text",
      change: "changed",
      what: { size: { a: "3", b: "5" }, content: {} },
    });
  });

  it("tells of the configuration field by field", async () => {
    await using store = await openStore(root);
    const one = { config: { Env: ["A=1", "B=1"], Cmd: ["x"], Labels: { l: "1" }, WorkingDir: "" }, created: "2026-01-01T00:00:00Z" };
    const two = { config: { Env: ["B=2", "C=3"], Cmd: ["x"], ExposedPorts: { "80/tcp": {} } }, created: "2026-01-02T00:00:00Z" };
    await putImage(store, ["a"], [{ f: "" }], one);
    await putImage(store, ["b"], [{ f: "" }], two);
    expect((await run(diff, "--ignore-times", "a", "b")).stdout.split("\n")).toEqual([
      '- config.Env.A: "1"',
      '~ config.Env.B: "1" → "2"',
      '+ config.Env.C: "3"',
      "+ config.ExposedPorts.80/tcp: {}",
      '- config.Labels.l: "1"',
      "",
    ]);
    expect((await json(diff, "a", "b")).config.at(-1)).toEqual({
      field: "created",
      a: "2026-01-01T00:00:00Z",
      b: "2026-01-02T00:00:00Z",
    });
  });

  it("of what is not there ends with 2", () => expect(diff.exitCodeOf?.(new Error("no image"))).toBe(2));
});

describe("rmi and tag", () => {
  it("say what no image has any more", async () => {
    await using store = await openStore(root);
    const layers = [{ base: kilobyte }, { x: kilobyte }];
    const { imageId } = await putImage(store, ["a"], layers);
    await putImage(store, ["b"], layers.slice(0, 1));
    const [{ ownBytes }] = await json(images, "--filter", "reference=a");
    expect(ownBytes).toBeGreaterThan(2560);
    const { stdout, stderr } = await run(rmi, "a");
    expect(stdout).toBe(`untagged a\nremoved ${imageId}\n`);
    expect(stderr).toMatch(/^note: 3\.\d\d kB are in no image any more; tsbuild prune gives back \d/);
  });

  it("say which entries of the list one id has, and that it is gone with the last", async () => {
    await using store = await openStore(root);
    const { config, layers, imageId } = await putImage(store, ["a"], [{ x: "1" }]);
    const blobs = layers.map(({ blob }) => blob);
    const other = await store.images.put({ config, layers: blobs, names: ["b"], annotations: { by: "another" } });
    const short = imageId.slice(7, 19);
    expect((await json(inspect, short)).imageId).toBe(imageId);
    expect(await run(rmi, short)).toEqual({
      code: 1,
      stdout: "",
      stderr: `error: removing ${short}: 2 images of the list have this id: a; b [IMAGE_HAS_NAMES]\n  hint: give a name, or the digest of a manifest (tsbuild images --digests)\n`,
    });
    expect((await run(rmi, "a")).stdout).toBe("untagged a\n");
    expect((await run(rmi, other.descriptor.digest)).stdout).toBe(`untagged b\nremoved ${imageId}\n`);
  });

  it("say that an image lost its last name to another", async () => {
    await using store = await openStore(root);
    const first = await putImage(store, ["app"], [{ a: "1" }]);
    await putImage(store, ["new"], [{ a: "2" }]);
    expect((await run(tag, "new", "app")).stderr).toBe(`note: ${first.imageId} had no other name and is listed no more\n`);
    expect((await run(tag, "new", "app")).stderr).toBe("");
  });

  it.each<[name: string, code: string]>([
    ["UPPER", "INVALID_REFERENCE"],
    [`app@${digestOf("x")}`, "INVALID_REFERENCE"],
    ["a".repeat(64).replaceAll("a", "f"), "INVALID_REFERENCE"],
    ["scratch", "INVALID_REFERENCE"],
  ])("tag refuses the name %s", async (name, code) => {
    await using store = await openStore(root);
    await putImage(store, ["app"], [{ a: "1" }]);
    await expect(run(tag, "app", name)).rejects.toMatchObject({ code });
  });
});
