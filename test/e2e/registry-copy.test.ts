import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { contextDirectory } from "../support/context.ts";
import { checkLayout } from "../support/layout.ts";
import { needs } from "../support/needs.ts";
import { type DebianRegistry, startDebianRegistry } from "../support/registry/debian-registry.ts";
import { inspectRemote } from "../support/registry/inspect-remote.ts";
import { newMachine } from "../support/registry/machine.ts";
import { mounts, transfers } from "../support/registry/request-lines.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let registry: DebianRegistry;
let other: DebianRegistry;
/** Of HOST/app. */
let digest: string;

describe("tsbuild copy", needs("dockerRegistry"), () => {
  beforeAll(async () => {
    const directory = temporaryDirectory("registry");
    [registry, other] = await Promise.all([startDebianRegistry({ directory }), startDebianRegistry({ directory })]);
    const context = contextDirectory({ Dockerfile: "FROM scratch\nCOPY a /a\nCOPY b /b\n", a: "a\n", b: "b\n" });
    await newMachine().must(["-q", "-t", `${registry.host}/app`, "--push", context]);
    ({ digest } = await inspectRemote(registry.host, "app"));
  });
  afterAll(() => Promise.all([registry.close(), other.close()]));

  it("goes the whole way round without a change: registry, registry, layout, archive, store, registry", async () => {
    const machine = newMachine();
    const [layout, archive] = [join(machine.home, "layout"), join(machine.home, "app.tar")];
    const way = [
      `${registry.host}/app`,
      `${other.host}/copied/app:v1`,
      `oci:${layout}:app`,
      `oci-archive:${archive}:app`,
      "store:app",
      `${other.host}/returned/app`,
    ];
    for (const [at, to] of way.slice(1).entries()) {
      const printed = await machine.must(["copy", way[at] ?? "", to]);
      expect(printed.replace(/^.*@/, ""), `${way[at]} to ${to}`).toBe(digest);
    }
    expect(checkLayout(layout)).toEqual({ names: ["app"], damage: [] });
    expect(checkLayout(machine.store)).toEqual({ names: ["app"], damage: [] });
    expect((await inspectRemote(other.host, "returned/app")).digest).toBe(digest);
  });

  it("moves nothing within a registry, and makes no store", async () => {
    const machine = newMachine();
    const requests = await registry.requestsDuring(() => machine.must(["copy", `${registry.host}/app`, `${registry.host}/beside/app`]));
    expect(transfers(requests)).toEqual([]);
    expect(mounts(requests)).toHaveLength(3);
    expect((await inspectRemote(registry.host, "beside/app")).digest).toBe(digest);
    expect(existsSync(machine.store)).toBe(false);
  });
});
