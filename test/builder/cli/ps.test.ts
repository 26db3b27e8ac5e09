import { mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { dispatch } from "../../../builder/cli/dispatch.ts";
import { createContainer } from "../../../store/containers.ts";
import { digestOf } from "../../../store/digest.ts";
import { openStore } from "../../../store/store.ts";
import { configOf } from "../../store/sample-image.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { fakeIo } from "./fake-io.ts";

it("lists kept containers, and names those whose records are damaged or missing", async () => {
  const root = join(temporaryDirectory("ps"), "store");
  {
    await using store = await openStore(root);
    const kept = { image: "app", manifestDigest: digestOf(""), created: "2026-01-01T00:00:00Z", args: [], owners: "exact" as const };
    for (const name of ["damaged", "lost", "missing"])
      await (await createContainer(store, name, { ...kept, layers: [], config: configOf([]) }))[Symbol.asyncDispose]();
  }
  const record = (name: string) => join(root, "v1/containers", name, "container.json");
  truncateSync(record("damaged"), 20);
  rmSync(record("missing"));
  const io = fakeIo({ env: { TSBUILD_ROOT: root } });
  expect(await dispatch(["ps", "-q"], io)).toBe(1);
  expect(io.printed.stdout).toBe("lost\n");
  expect(io.printed.stderr.match(/^error: .*$/gm)).toEqual([
    "error: reading the container damaged: its record is damaged [INVALID_DOCUMENT]",
    "error: reading the container missing: its record is missing [INVALID_DOCUMENT]",
  ]);
});

it.each<[what: string, make: (path: string) => void]>([
  ["attack: a link to a directory elsewhere", (path) => symlinkSync(temporaryDirectory("elsewhere"), path)],
  ["attack: a link to nothing", (path) => symlinkSync("/nonexistent", path)],
  ["attack: a file", (path) => writeFileSync(path, "")],
])("%s is no kept container", async (_what, make) => {
  const root = join(temporaryDirectory("ps"), "store");
  await (await openStore(root)).close();
  mkdirSync(join(root, "v1/containers"), { recursive: true });
  make(join(root, "v1/containers/odd"));
  const io = fakeIo({ env: { TSBUILD_ROOT: root } });
  expect(await dispatch(["ps", "-q"], io)).toBe(0);
  expect(await dispatch(["rm", "odd"], io)).toBe(1);
  expect(io.printed.stdout).toBe("");
  expect(io.printed.stderr).toContain('error: looking for the container "odd": none of that name is kept [NOT_FOUND]');
});
