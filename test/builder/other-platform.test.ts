import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runContainer } from "../../builder/run-container.ts";
import { machinePlatform, platformText } from "../../store/platform.ts";
import { openStore } from "../../store/store.ts";
import { putImage } from "../store/sample-image.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const other = machinePlatform().architecture === "s390x" ? "amd64" : "s390x";

describe("a run of an image for one platform", () => {
  it.each<[name: string, architecture: string, platform: string | undefined, notes: readonly string[]]>([
    [
      "that is not this machine's says so",
      other,
      undefined,
      [`image "app" is for linux/${other}, and ${platformText(machinePlatform())} is wanted`],
    ],
    [
      "that is not the one asked for says so",
      machinePlatform().architecture,
      `linux/${other}`,
      [`image "app" is for ${platformText(machinePlatform())}, and linux/${other} is wanted`],
    ],
    ["that is the one asked for says nothing", other, `linux/${other}`, []],
  ])("%s", async (_name, architecture, platform, notes) => {
    const root = join(temporaryDirectory("run"), "store");
    const store = await openStore(root);
    await putImage(store, ["app"], [{ a: "1" }], { architecture });
    await store.close();
    const heard: string[] = [];
    const options = {
      store: root,
      image: "app",
      ...(platform === undefined ? {} : { platform }),
      onNote: (note: string) => heard.push(note),
    };
    // It has nothing to run, or nothing could run it, which is found out last: no sandbox is needed.
    await expect(runContainer(options)).rejects.toMatchObject({ code: expect.stringMatching(/^(NO_COMMAND|UNSUPPORTED_PLATFORM)$/) });
    expect(heard).toEqual(notes);
  });
});

it("scratch is no image that could be run", async () => {
  const store = join(temporaryDirectory("run"), "store");
  await expect(runContainer({ store, image: "scratch" })).rejects.toMatchObject({
    code: "INVALID_REFERENCE",
    message: 'reading the image name "scratch": scratch is not an image',
  });
});
