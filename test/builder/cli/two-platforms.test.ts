import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Command } from "../../../builder/cli/command.ts";
import { copy } from "../../../builder/cli/copy.ts";
import { images } from "../../../builder/cli/images.ts";
import { inspect } from "../../../builder/cli/inspect.ts";
import { load } from "../../../builder/cli/load.ts";
import { pull } from "../../../builder/cli/pull.ts";
import { push } from "../../../builder/cli/push.ts";
import { rmi } from "../../../builder/cli/rmi.ts";
import { save } from "../../../builder/cli/save.ts";
import { tag } from "../../../builder/cli/tag.ts";
import { digestOf } from "../../../store/digest.ts";
import { machinePlatform, platformText } from "../../../store/platform.ts";
import { openStore } from "../../../store/store.ts";
import { verifyStore } from "../../../store/verify.ts";
import { type FakeImage, fakeImage, fakeIndex } from "../../support/registry/fake-image.ts";
import { type FakeRegistry, startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { fakeIo } from "./fake-io.ts";

// One index of two platforms, through every command that an image can go through.

const machine = machinePlatform();
const foreign = { os: "linux", architecture: machine.architecture === "s390x" ? "amd64" : "s390x" };

let fake: FakeRegistry;
let own: FakeImage;
let other: FakeImage;
let index: string;
let home: string;
beforeAll(async () => {
  fake = await startFakeRegistry();
  own = await fakeImage({ platform: machine, layers: [{ a: "own" }, { both: "1" }] });
  other = await fakeImage({ platform: foreign, layers: [{ a: "other" }, { both: "1" }] });
  for (const image of [own, other]) fake.putImage("multi", "unused", image);
  const { mediaType, bytes, digest } = fakeIndex([own, other]);
  const { manifests, tags } = fake.content.repository("multi");
  manifests.set(digest, { mediaType, bytes });
  tags.set("1", digest);
  index = digest;
  home = temporaryDirectory("two-platforms");
});
afterAll(() => fake.close());

async function printed(store: string, command: Command, ...argv: string[]): Promise<{ stdout: string; stderr: string }> {
  const io = fakeIo({ env: { HOME: home, TSBUILD_ROOT: join(home, store) } });
  expect(await command.main(argv, io)).toBe(0);
  return io.printed;
}

const run = async (store: string, command: Command, ...argv: string[]) => (await printed(store, command, ...argv)).stdout;
const failing = (store: string, command: Command, ...argv: string[]) =>
  expect(command.main(argv, fakeIo({ env: { HOME: home, TSBUILD_ROOT: join(home, store) } }))).rejects;

const json = async (store: string, command: Command, ...argv: string[]) => JSON.parse(await run(store, command, ...argv));
const architecture = async (store: string, name: string) => (await run(store, inspect, "--field", "architecture", name)).trim();
const verified = async (store: string) => {
  await using opened = await openStore(join(home, store));
  return verifyStore(opened);
};

it("goes into the store, is shown, goes on to registries and archives, and back, with the same digest", async () => {
  await run("a", copy, "-q", "--all-platforms", `${fake.host}/multi:1`, "store:multi");
  const [listed] = await json("a", images, "--format", "json");
  expect(listed.platforms.map(({ platform }: { platform: string }) => platform)).toHaveLength(2);
  for (const [platform, image] of [
    [machine, own],
    [foreign, other],
  ] as const) {
    const shown = await json("a", inspect, "--platform", platformText(platform), "multi");
    expect([shown.manifest.digest, shown.index.digest, shown.architecture]).toEqual([image.digest, index, platform.architecture]);
    expect(shown.index.platforms.map(({ isHere }: { isHere: boolean }) => isHere)).toEqual([true, true]);
  }

  expect(await run("a", push, "-q", "multi", `${fake.host}/pushed:1`)).toBe(`${fake.host}/pushed@${index}\n`);
  expect(fake.content.holes()).toEqual([]);

  const archive = `oci-archive:${home}/multi.tar:multi`;
  expect(await run("a", copy, "-q", "store:multi", archive)).toBe(`${index}\n`);
  const alone = "note: multi has this machine's platform alone, not all that its index lists: --all-platforms takes all\n";
  expect((await printed("b", copy, "-q", archive, "store:multi")).stderr).toBe(alone);
  expect((await json("b", inspect, "multi")).index.platforms.map(({ isHere }: { isHere: boolean }) => isHere)).toEqual([true, false]);
  expect(await printed("b", copy, "-q", "--all-platforms", archive, "store:multi")).toEqual({ stdout: `${index}\n`, stderr: "" });
  expect((await json("b", inspect, "--platform", platformText(foreign), "multi")).manifest.digest).toBe(other.digest);
  expect(await run("b", copy, "-q", "store:multi", `${fake.host}/back:1`)).toBe(`${fake.host}/back@${index}\n`);
  expect([await verified("a"), await verified("b")]).toEqual([[], []]);
});

it("is saved and loaded for this machine, and goes into an archive of Docker's for the platform that is asked for", async () => {
  await run("c", copy, "-q", "--all-platforms", `${fake.host}/multi:1`, "store:multi");
  await run("c", save, "multi", "-o", `${home}/saved.tar`);
  await run("c", copy, "-q", "store:multi", `oci-archive:${home}/whole.tar:multi`);
  for (const file of ["saved.tar", "whole.tar"]) {
    const into = `of-${file}`;
    await run(into, load, join(home, file));
    expect(await architecture(into, "multi")).toBe(machine.architecture);
    expect(await verified(into)).toEqual([]);
  }
  const docker = `docker-archive:${home}/docker.tar:multi`;
  expect(await run("c", copy, "-q", "--platform", platformText(foreign), "store:multi", docker)).toBe(`${other.digest}\n`);
  await run("d", load, `${home}/docker.tar`);
  expect(await architecture("d", "multi")).toBe(foreign.architecture);
});

describe("of which one platform is there", () => {
  const [here, missing] = [platformText(machine), platformText(foreign)];
  beforeAll(async () => {
    await run("one", pull, "-q", `${fake.host}/multi:1`);
    await run("one", tag, `${fake.host}/multi:1`, "multi");
    await run("both", copy, "-q", "--all-platforms", `${fake.host}/multi:1`, "store:multi");
  });

  it("says for each other one that it is left out", async () => {
    const alone = `note: multi: ${here} alone is taken, under its own digest: its index lists what the store does not have\n`;
    const leftOut = `note: multi: ${missing} is not in the store: left out\n`;
    expect((await printed("one", push, "-q", "multi", `${fake.host}/alone:1`)).stderr).toBe(leftOut + alone);
    expect((await printed("one", copy, "-q", "store:multi", `oci:${home}/alone:multi`)).stderr).toBe(leftOut + alone);
    expect((await printed("one", save, "multi", "-o", `${home}/one.tar`)).stderr).toBe(
      `note: multi: ${missing} is left out of the archive: it is not in the store\n`,
    );
    expect((await printed("both", save, "multi", "-o", `${home}/one-of-both.tar`)).stderr).toBe(
      `note: multi: ${missing} is left out of the archive: --platform ${missing} takes it instead, tsbuild copy takes all\n`,
    );
    expect((await printed("both", push, "-q", "multi", `${fake.host}/whole:1`)).stderr).toBe("");
  });

  it("fails where the one that is asked for is not there, or all are", async () => {
    const absent = `looking for image "multi": it is in the store ${home}/one, but not for ${missing}`;
    await failing("one", save, "--platform", missing, "multi", "-o", `${home}/x.tar`).toMatchObject({ code: "NOT_FOUND", message: absent });
    await failing("one", push, "--platform", missing, "multi", `${fake.host}/x`).toMatchObject({ message: absent });
    await failing("one", copy, "--platform", missing, "store:multi", `oci:${home}/x`).toMatchObject({ message: absent });
    const message = `reading all platforms of multi: ${missing}: not in the store`;
    for (const to of [`oci:${home}/x`, `${fake.host}/x`]) {
      await failing("one", copy, "--all-platforms", "store:multi", to).toMatchObject({ code: "PLATFORM_NOT_FOUND", message });
    }
    expect(existsSync(`${home}/x.tar`) || existsSync(`${home}/x`)).toBe(false);
  });

  it("is saved and loaded for the platform that is asked for", async () => {
    await run("both", save, "--platform", missing, "multi", "-o", `${home}/asked.tar`);
    await run("asked", load, `${home}/asked.tar`);
    expect(await architecture("asked", "multi")).toBe(foreign.architecture);
    await failing("asked", load, "--platform", here, `${home}/asked.tar`).toMatchObject({
      code: "PLATFORM_NOT_FOUND",
      message: `loading ${home}/asked.tar: reading image multi: it is for ${missing}, not ${here}`,
    });
    await run("both", copy, "-q", "store:multi", `oci:${home}/layout:multi`);
    expect((await printed("noted", load, `${home}/layout`)).stderr).toBe(
      `note: multi: ${missing} is left out: --platform ${missing} takes it instead, tsbuild copy --all-platforms takes all\n`,
    );
    await run("of-both", load, "--platform", missing, `${home}/layout`);
    expect(await architecture("of-both", "multi")).toBe(foreign.architecture);
  });

  it("is loaded from a layout that lists more than it has", async () => {
    await run("both", copy, "-q", "store:multi", `oci:${home}/sparse:multi`);
    rmSync(join(home, "sparse/blobs/sha256", other.digest.slice("sha256:".length)));
    const { stdout, stderr } = await printed("from-sparse", load, `${home}/sparse`);
    expect(stdout).toMatch(/^loaded multi sha256:[0-9a-f]{64}\n$/);
    expect(stderr).toBe(`note: multi: ${missing} is left out: it is not in the archive\n`);
    await failing("from-sparse", load, "--platform", missing, `${home}/sparse`).toMatchObject({
      code: "PLATFORM_NOT_FOUND",
      message: `loading ${home}/sparse: reading image multi: its index lists ${missing}, but that is not there`,
    });
    rmSync(join(home, "sparse/blobs/sha256", own.digest.slice("sha256:".length)));
    await failing("from-sparse", load, `${home}/sparse`).toMatchObject({ code: "NOT_FOUND" });
  });
});

it("is saved without advice where no platform asks for what is left out", async () => {
  const { mediaType, bytes } = fakeIndex([own, other]);
  const document = JSON.parse(bytes.toString());
  document.manifests[1].platform = undefined;
  const changed = Buffer.from(JSON.stringify(document));
  const { manifests, tags } = fake.content.repository("multi");
  manifests.set(digestOf(changed), { mediaType, bytes: changed });
  tags.set("silent", digestOf(changed));
  await run("silent", copy, "-q", "--all-platforms", `${fake.host}/multi:silent`, "store:multi");
  const { stderr } = await printed("silent", save, "multi", "-o", `${home}/silent.tar`);
  expect(stderr).toBe(`note: multi: ${platformText(foreign)} is left out of the archive\n`);
});

it("leaves the store with all of its platforms", async () => {
  await run("e", copy, "-q", "--all-platforms", `${fake.host}/multi:1`, "store:multi");
  await run("e", rmi, "multi");
  expect(await json("e", images, "--format", "json")).toEqual([]);
  expect(await verified("e")).toEqual([]);
});
