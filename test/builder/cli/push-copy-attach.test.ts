import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { attach } from "../../../builder/cli/attach.ts";
import type { Command } from "../../../builder/cli/command.ts";
import { copy } from "../../../builder/cli/copy.ts";
import { pull } from "../../../builder/cli/pull.ts";
import { push } from "../../../builder/cli/push.ts";
import { mediaTypes } from "../../../store/oci.ts";
import { machinePlatform } from "../../../store/platform.ts";
import { openStore } from "../../../store/store.ts";
import { putImage } from "../../store/sample-image.ts";
import { type FakeImage, fakeImage } from "../../support/registry/fake-image.ts";
import { type FakeRegistry, startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { fakeIo } from "./fake-io.ts";

let fake: FakeRegistry;
let base: FakeImage;
let home: string;
let root: string;
let imageId: string;
beforeAll(async () => {
  fake = await startFakeRegistry();
  base = await fakeImage();
});
afterAll(() => fake.close());
beforeEach(async () => {
  fake.content.repositories.clear();
  fake.putImage("base", "1", base);
  home = temporaryDirectory("push");
  root = join(home, "store");
  await using store = await openStore(root);
  imageId = (await putImage(store, ["app", `${fake.host}/app:v1`], [{ a: "1" }])).imageId;
});

/** What a command prints; it must succeed. */
async function run(command: Command, argv: readonly string[], env: Record<string, string> = {}) {
  const io = fakeIo({ env: { HOME: home, TSBUILD_ROOT: root, ...env } });
  expect(await command.main(argv, io)).toBe(0);
  return io.printed;
}

const refusal = async (command: Command, argv: readonly string[]): Promise<unknown> =>
  command.main(argv, fakeIo({ env: { HOME: home, TSBUILD_ROOT: root } })).then(
    () => undefined,
    (error: unknown) => error,
  );
const manifestOf = (repository: string, reference: string) =>
  JSON.parse(String(fake.content.repository(repository).manifests.get(fake.content.find(repository, reference) ?? "")?.bytes));

describe("push", () => {
  it("sends an image under its own name, and prints the name with the digest", async () => {
    const { stdout, stderr } = await run(push, [`${fake.host}/app:v1`]);
    expect(stdout).toBe(`${fake.host}/app@${fake.content.find("app", "v1")}\n`);
    expect(stderr).toMatch(new RegExp(`^pushed layer [0-9a-f]{12}, \\d+ B in \\d+\\.\\d s\npushed ${fake.host}/app:v1\n$`));
  });

  it("sends it under other names, each repository's printed once", async () => {
    const { stdout, stderr } = await run(push, ["-q", "app", `${fake.host}/a:1`, `docker://${fake.host}/a:2`, `${fake.host}/b`]);
    const digest = fake.content.find("a", "1");
    expect(stdout).toBe(`${fake.host}/a@${digest}\n${fake.host}/b@${digest}\n`);
    expect(stderr).toBe("");
    expect([fake.content.find("a", "2"), fake.content.find("b", "latest")]).toEqual([digest, digest]);
  });

  it("takes format, compression and annotations", async () => {
    await run(push, ["-q", "--compression", "none", "--annotation", "k=v", "app", `${fake.host}/a`]);
    expect(manifestOf("a", "latest")).toMatchObject({ layers: [{ mediaType: mediaTypes.layer }], annotations: { k: "v" } });
    const { stderr } = await run(push, ["-q", "--format", "docker", "--annotation", "k=v", "app", `${fake.host}/b`]);
    expect(manifestOf("b", "latest")).toMatchObject({ mediaType: mediaTypes.dockerManifest });
    expect(stderr).toMatch(/^note: sha256:[0-9a-f]{64}: Docker's format has no annotations; left out: k\n$/);
  });

  it("says before it sends anything where rewriting leads, and what is left out", async () => {
    const other = await fakeImage({
      platform: { os: "linux", architecture: machinePlatform().architecture === "s390x" ? "amd64" : "s390x" },
    });
    const index = fake.putIndex("team/app", "1", [await fakeImage({ platform: machinePlatform() }), other]);
    mkdirSync(join(home, ".config/tsbuild"), { recursive: true });
    writeFileSync(join(home, ".config/tsbuild/tsbuild.toml"), `[registry.rewrite]\n"ghcr.io/pp" = "${fake.host}/other"\n`);
    await run(pull, ["-q", `${fake.host}/team/app:1`]);
    const { stdout, stderr } = await run(push, [`${fake.host}/team/app:1`, "ghcr.io/pp/app:1", "ghcr.io/pp/app:2"]);
    const digest = fake.content.find("other/app", "1");
    expect(digest).not.toBe(index);
    expect(stdout).toBe(`ghcr.io/pp/app@${digest}\n`);
    expect(stderr.split("\n").slice(0, 4)).toEqual([
      `note: ghcr.io/pp/app is ${fake.host}/other/app by registry.rewrite`,
      expect.stringMatching(/^note: .*team\/app:1: linux\/.* is not in the store: left out$/),
      expect.stringMatching(/^note: .*team\/app:1: linux\/.* alone is taken, under its own digest: /),
      expect.stringMatching(/^layer [0-9a-f]{12} |^pushed layer /),
    ]);
    const copied = await run(copy, ["-q", "ghcr.io/pp/app:1", `${fake.host}/third`]);
    expect(copied.stderr).toBe(`note: ghcr.io/pp/app is ${fake.host}/other/app by registry.rewrite\n`);
  });

  it("sends an image by its id where a name is given", async () => {
    await run(push, ["-q", imageId.slice(7, 19), `${fake.host}/a`]);
    expect(manifestOf("a", "latest").config.digest).toBe(imageId);
  });

  it.each<[name: string, argv: () => string[], code: string, message: () => string]>([
    [
      "an id alone: it is no name of Docker Hub's",
      () => [imageId.slice(7, 19)],
      "WRONG_OPERANDS",
      () => `reading the command line: "${imageId.slice(7, 19)}" does not say where the image goes`,
    ],
    ["nothing", () => [], "WRONG_OPERANDS", () => "reading the command line: push needs IMAGE [NAME…], got nothing"],
    [
      "--all-tags",
      () => ["-a", "app"],
      "UNSUPPORTED_FLAG",
      () => "reading the command line: -a is not supported: name the tags: tsbuild push IMAGE NAME…",
    ],
    [
      "--creds",
      () => ["--creds", "u:p", "app"],
      "UNSUPPORTED_FLAG",
      () => "reading the command line: --creds is not supported: tsbuild login keeps credentials, and none are in the list of processes",
    ],
    [
      "another platform than the image's",
      () => ["--platform", "linux/s390x", "app", `${fake.host}/a`],
      "PLATFORM_NOT_FOUND",
      () => "reading image store:app: it is for linux/amd64 only, not linux/s390x",
    ],
    [
      "an annotation without a value",
      () => ["--annotation", "nokey", "app"],
      "INVALID_VALUE",
      () => 'reading --annotation: "nokey" is not KEY=VALUE',
    ],
    ["scratch", () => ["app", "scratch"], "INVALID_REFERENCE", () => 'reading the image name "scratch": scratch is not an image'],
    [
      "a digest",
      () => ["app", `${fake.host}/a@${imageId}`],
      "INVALID_REFERENCE",
      () => `pushing to ${fake.host}/a@${imageId}: a digest cannot be chosen`,
    ],
    [
      "an image that is not there",
      () => ["none", `${fake.host}/a`],
      "NOT_FOUND",
      () => `looking for image "none": no image named docker.io/library/none:latest in the store ${root}`,
    ],
  ])("refuses %s", async (_name, argv, code, message) => {
    const before = fake.requests.length;
    expect(await refusal(push, argv())).toMatchObject({ code, message: message() });
    expect(fake.requests).toHaveLength(before);
  });
});

describe("copy", () => {
  it("between registries needs no store, and makes none", async () => {
    const { stdout, stderr } = await run(copy, [`${fake.host}/base:1`, `docker://${fake.host}/other:2`], {
      TSBUILD_ROOT: join(home, "none"),
    });
    expect(stdout).toBe(`${fake.host}/other@${base.digest}\n`);
    expect(stderr).toMatch(
      new RegExp(`^layer [0-9a-f]{12} mounted from another repository\ncopied ${fake.host}/base:1 to docker://${fake.host}/other:2\n$`),
    );
    expect(existsSync(join(home, "none"))).toBe(false);
  });

  it("goes through all places, and the digest stays", async () => {
    const layout = `oci:${home}/layout:v1`;
    const archive = `oci-archive:${home}/image.tar:v1`;
    const path = [`${fake.host}/base:1`, layout, archive, "store:copied", `${fake.host}/last:1`];
    for (const [i, from] of path.slice(0, -1).entries()) {
      const { stdout, stderr } = await run(copy, ["-q", from, path[i + 1] ?? ""]);
      expect(stdout).toContain(base.digest);
      expect(stderr).toBe("");
    }
    expect(fake.content.find("last", "1")).toBe(base.digest);
  });

  it("names the store where it cannot be used", async () => {
    writeFileSync(join(home, "file"), "");
    const io = fakeIo({ env: { HOME: home } });
    const error = await copy
      .main(["--store", join(home, "file/store"), `${fake.host}/base:1`, "store:a"], io)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: expect.stringMatching(/^STORE_|^NOT_A_STORE/) });
  });
});

describe("attach", () => {
  it("attaches files, and prints the artifact's name", async () => {
    writeFileSync(join(home, "a.spdx.json"), "{}\n");
    const argv = [
      "-q",
      "--artifact-type",
      "application/spdx+json",
      "--annotation",
      "k=v",
      `${fake.host}/base:1`,
      join(home, "a.spdx.json"),
    ];
    const { stdout } = await run(attach, argv, { SOURCE_DATE_EPOCH: "0" });
    const digest = stdout.trim().split("@")[1] ?? "";
    expect(stdout).toBe(`${fake.host}/base@${digest}\n`);
    expect(manifestOf("base", digest)).toMatchObject({
      artifactType: "application/spdx+json",
      subject: { digest: base.digest },
      annotations: { "org.opencontainers.image.created": "1970-01-01T00:00:00Z", k: "v" },
      layers: [{ mediaType: "application/octet-stream" }],
    });
  });

  it.each<[name: string, argv: string[], code: string, message: string, hint?: string]>([
    [
      "no type",
      ["app", "file"],
      "MISSING_VALUE",
      "reading the command line: attach needs --artifact-type",
      "of an SBOM: --artifact-type application/spdx+json",
    ],
    [
      "an annotation without a value",
      ["--artifact-type", "a/b", "--annotation", "nokey", "app", "file"],
      "INVALID_VALUE",
      'reading --annotation: "nokey" is not KEY=VALUE',
    ],
    [
      "a type that is none",
      ["--artifact-type", "spdx", "app", "file"],
      "INVALID_VALUE",
      'reading --artifact-type: "spdx" is no media type',
    ],
    [
      "no file",
      ["--artifact-type", "a/b", "app"],
      "WRONG_OPERANDS",
      "reading the command line: attach needs --artifact-type TYPE NAME FILE…, got app",
    ],
  ])("refuses %s", async (_name, argv, code, message, hint) => {
    expect(await refusal(attach, argv)).toMatchObject(hint === undefined ? { code, message } : { code, message, hint });
  });
});
