import { expect, it } from "vitest";
import { CHECKOUT, mustTsbuild, temporaryStore } from "../support/cli.ts";
import { mustRun } from "../support/command.ts";

it("npm run bases says which image it made, and does it once", async () => {
  const store = temporaryStore();
  const maker = [process.execPath, `${CHECKOUT}/.scripts/bases.mjs`, "busybox", "--store", store, "--no-system-packages"] as const;
  const said = /^busybox: imported in \d+\.\d s as (sha256:[0-9a-f]{64})\n$/.exec(await mustRun([...maker]));
  expect(said?.[1]).toBe(JSON.parse(await mustTsbuild(["inspect", "busybox"], { store })).imageId);
  expect(await mustRun([...maker])).toBe("busybox: already there\n");
});
