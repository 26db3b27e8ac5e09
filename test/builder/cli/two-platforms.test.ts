import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Command } from "../../../builder/cli/command.ts";
import { copy } from "../../../builder/cli/copy.ts";
import { images } from "../../../builder/cli/images.ts";
import { inspect } from "../../../builder/cli/inspect.ts";
import { load } from "../../../builder/cli/load.ts";
import { push } from "../../../builder/cli/push.ts";
import { rmi } from "../../../builder/cli/rmi.ts";
import { save } from "../../../builder/cli/save.ts";
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

async function run(store: string, command: Command, ...argv: string[]): Promise<string> {
  const io = fakeIo({ env: { HOME: home, TSBUILD_ROOT: join(home, store) } });
  expect(await command.main(argv, io)).toBe(0);
  return io.printed.stdout;
}

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
  expect(await run("b", copy, "-q", "--all-platforms", archive, "store:multi")).toBe(`${index}\n`);
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

it("leaves the store with all of its platforms", async () => {
  await run("e", copy, "-q", "--all-platforms", `${fake.host}/multi:1`, "store:multi");
  await run("e", rmi, "multi");
  expect(await json("e", images, "--format", "json")).toEqual([]);
  expect(await verified("e")).toEqual([]);
});
