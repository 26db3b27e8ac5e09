import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Command } from "../../../builder/cli/command.ts";
import { commit } from "../../../builder/cli/commit.ts";
import { df } from "../../../builder/cli/df.ts";
import { diff } from "../../../builder/cli/diff.ts";
import { exportImage } from "../../../builder/cli/export.ts";
import { history } from "../../../builder/cli/history.ts";
import { images } from "../../../builder/cli/images.ts";
import { importImage } from "../../../builder/cli/import.ts";
import { inspect } from "../../../builder/cli/inspect.ts";
import { prune } from "../../../builder/cli/prune.ts";
import { ps } from "../../../builder/cli/ps.ts";
import { push } from "../../../builder/cli/push.ts";
import { rm } from "../../../builder/cli/rm.ts";
import { rmi } from "../../../builder/cli/rmi.ts";
import { save } from "../../../builder/cli/save.ts";
import { tag } from "../../../builder/cli/tag.ts";
import { verify } from "../../../builder/cli/verify.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { fakeIo } from "./fake-io.ts";

const commands: readonly (readonly [name: string, command: Command, argv: readonly string[]])[] = [
  ["images", images, []],
  ["ps", ps, []],
  ["df", df, []],
  ["verify", verify, []],
  ["prune", prune, ["--force"]],
  ["rm", rm, ["x"]],
  ["rmi", rmi, ["x"]],
  ["tag", tag, ["x", "y"]],
  ["save", save, ["x", "-o", "/nowhere/x.tar"]],
  ["export", exportImage, ["x", "-o", "/nowhere/x.tar"]],
  ["diff", diff, ["x", "y"]],
  ["push", push, ["x"]],
  ["history", history, ["x"]],
  ["inspect", inspect, ["x"]],
  ["commit", commit, ["x", "y"]],
];

describe("a store that --store names and that is not there", () => {
  it.each(commands)("is not made by %s", async (_name, command, argv) => {
    const store = join(temporaryDirectory("named"), "stroe");
    const refused = command.main([...argv, "--store", store], fakeIo({ env: { HOME: "/nowhere" } }));
    await expect(refused).rejects.toMatchObject({ code: "NOT_FOUND", message: `opening the store: there is no store in ${store}` });
    expect(existsSync(store)).toBe(false);
  });

  it("is not made in an empty directory either", async () => {
    const store = join(temporaryDirectory("named"), "empty");
    mkdirSync(store);
    await expect(images.main(["--store", store], fakeIo())).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(readdirSync(store)).toEqual([]);
  });

  it("is not made where the environment names it either", async () => {
    const store = join(temporaryDirectory("named"), "stroe");
    await expect(images.main(["-q"], fakeIo({ env: { TSBUILD_ROOT: store } }))).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: `opening the store: there is no store in ${store}`,
      hint: "is $TSBUILD_ROOT misspelt? A build, pull, load or import makes a new store",
    });
    expect(existsSync(store)).toBe(false);
  });

  it("is the usual one, which is made", async () => {
    const io = fakeIo({ env: { XDG_DATA_HOME: temporaryDirectory("named") } });
    expect([await images.main(["-q"], io), io.printed.stdout]).toEqual([0, ""]);
  });

  it("cannot have an empty name", async () => {
    await expect(images.main(["--store="], fakeIo())).rejects.toMatchObject({
      code: "INVALID_VALUE",
      message: "reading --store: the value (DIR) is empty",
    });
  });

  it.each([
    ["makes a store", importImage, ["-"]],
    ["needs one", images, []],
  ] as const)("cannot be relative in the environment, where a command %s", async (_, { main }, argv) => {
    await expect(main(argv, fakeIo({ env: { TSBUILD_ROOT: "store", HOME: "/nowhere" } }))).rejects.toMatchObject({
      code: "INVALID_VALUE",
      message: 'reading $TSBUILD_ROOT: "store" is not an absolute path',
    });
  });
});
