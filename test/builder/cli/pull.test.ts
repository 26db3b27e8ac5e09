import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { pull } from "../../../builder/cli/pull.ts";
import { machinePlatform } from "../../../store/platform.ts";
import { openStore } from "../../../store/store.ts";
import { verifyStore } from "../../../store/verify.ts";
import { transientFiles } from "../../support/layout.ts";
import { fakeImage } from "../../support/registry/fake-image.ts";
import { type FakeRegistry, startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { fakeIo } from "./fake-io.ts";

const other = { os: "linux", architecture: "s390x" };

let registry: FakeRegistry;
let root: string;
let index: string;
beforeEach(async () => {
  registry = await startFakeRegistry();
  root = join(temporaryDirectory("pull"), "store");
  const images = await Promise.all(
    [machinePlatform(), other].map((platform) => fakeImage({ platform, layers: [{ f: platform.architecture }, { g: "2" }] })),
  );
  index = registry.putIndex("team/app", "v1", images);
  return () => registry.close();
});

async function run(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const io = fakeIo({ env: { HOME: temporaryDirectory("home"), TSBUILD_ROOT: root } });
  expect(await pull.main(args, io)).toBe(0);
  return io.printed;
}

describe("tsbuild pull", () => {
  it("prints the name with its digest, and stores the image", async () => {
    const { stdout, stderr } = await run(`${registry.host}/team/app:v1`);
    expect(stdout).toBe(`${registry.host}/team/app@${index}\n`);
    expect(stderr).toContain(`pulled ${registry.host}/team/app:v1\n`);
    await using store = await openStore(root);
    expect((await store.images.open(`${registry.host}/team/app:v1`)).listed.digest).toBe(index);
    expect(await verifyStore(store)).toEqual([]);
    expect(transientFiles(root)).toEqual([]);
  });

  it("says when nothing is new", async () => {
    await run(`${registry.host}/team/app:v1`);
    registry.takeLog();
    const { stdout, stderr } = await run(`${registry.host}/team/app:v1`);
    expect(stdout).toBe(`${registry.host}/team/app@${index}\n`);
    expect(stderr).toContain(`${registry.host}/team/app:v1 is up to date\n`);
    expect(registry.takeLog().filter((line) => line.startsWith("GET /v2/team/"))).toEqual([]);
  });

  it("prints nothing else with --quiet", async () => {
    expect(await run("-q", `${registry.host}/team/app:v1`)).toEqual({ stdout: `${registry.host}/team/app@${index}\n`, stderr: "" });
  });

  it("fetches the platform that is asked for, several names in turn", async () => {
    registry.putImage("team/app", "v2", await fakeImage());
    const { stdout } = await run("--platform", "linux/s390x", `${registry.host}/team/app:v1`, `${registry.host}/team/app:v2`);
    expect(stdout.split("\n")).toHaveLength(3);
    await using store = await openStore(root);
    expect((await store.images.open(`${registry.host}/team/app:v1`)).config.architecture).toBe("s390x");
  });

  it("takes an image that is there for one platform only, and says so", async () => {
    registry.putImage("team/app", "v2", await fakeImage({ platform: other }));
    const { stderr } = await run("-q", "--platform", "linux/mips64", `${registry.host}/team/app:v2`);
    expect(stderr).toBe(`note: image "${registry.host}/team/app:v2" is for linux/s390x, and linux/mips64 is wanted\n`);
  });

  it.each<[string, string[], string]>([
    ["scratch", ["scratch"], "INVALID_REFERENCE"],
    ["a name that is not there", ["HOST/team/app:gone"], "REGISTRY_NOT_FOUND"],
    ["a platform that is not there", ["--platform=linux/mips", "HOST/team/app:v1"], "PLATFORM_NOT_FOUND"],
    ["a platform that is none", ["--platform=x", "HOST/team/app:v1"], "INVALID_VALUE"],
    ["all tags", ["--all-tags", "HOST/team/app"], "UNSUPPORTED_FLAG"],
    ["a wrong name before anything is asked", ["HOST/team/app:v1", "UPPER"], "INVALID_REFERENCE"],
  ])("refuses %s", async (_, args, code) => {
    const io = fakeIo({ env: { HOME: temporaryDirectory("home"), TSBUILD_ROOT: root } });
    await expect(
      pull.main(
        args.map((text) => text.replace("HOST", registry.host)),
        io,
      ),
    ).rejects.toMatchObject({ code });
    expect(io.printed.stdout).toBe("");
  });
});
