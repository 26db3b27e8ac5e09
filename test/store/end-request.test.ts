import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createContainer, holdContainer, type KeptContainer, listContainers } from "../../store/containers.ts";
import { digestOf } from "../../store/digest.ts";
import { holdEnded, onEndRequest } from "../../store/end-request.ts";
import { openStore } from "../../store/store.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { configOf } from "./sample-image.ts";

const kept: KeptContainer = {
  ...{ image: "app", manifestDigest: digestOf(""), created: "2026-01-01T00:00:00Z", args: [], owners: "exact" },
  ...{ layers: [], config: configOf([]) },
};

describe("the end of a container that another process runs", () => {
  it("is asked for, and waited for", async () => {
    await using store = await openStore(join(temporaryDirectory("end"), "store"));
    const running = await createContainer(store, "work", kept);
    let asked = 0;
    const requests = onEndRequest(running.directory, () => {
      asked++;
      requests.close();
      void running[Symbol.asyncDispose]();
    });
    await using held = await holdEnded(store, "work");
    expect([asked, held.directory]).toEqual([1, running.directory]);
  });

  it("that was asked for before anybody listened comes at once", async () => {
    await using store = await openStore(join(temporaryDirectory("end"), "store"));
    const running = await createContainer(store, "work", kept);
    const waiting = holdEnded(store, "work");
    while (readdirSync(running.directory).length < 3) await new Promise(setImmediate);
    onEndRequest(running.directory, () => void running[Symbol.asyncDispose]()).close();
    await (await waiting)[Symbol.asyncDispose]();
  });

  it("is not waited for for ever, and nothing is removed then", async () => {
    await using store = await openStore(join(temporaryDirectory("end"), "store"));
    await using running = await createContainer(store, "work", kept);
    await expect(holdEnded(store, "work", { waitMs: 1 })).rejects.toMatchObject({
      code: "CONTAINER_RUNNING",
      hint: `end its command first: kill ${process.pid}, or tsbuild rm --force work`,
    });
    const stopped = AbortSignal.abort(new Error("stopped"));
    await expect(holdEnded(store, "work", { signal: stopped })).rejects.toThrow("stopped");
    expect(existsSync(running.directory)).toBe(true);
  });

  it("is nothing to wait for where it does not run, or is not there", async () => {
    await using store = await openStore(join(temporaryDirectory("end"), "store"));
    await (await createContainer(store, "work", kept))[Symbol.asyncDispose]();
    await (await holdEnded(store, "work"))[Symbol.asyncDispose]();
    await expect(holdEnded(store, "other")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("names no process where another one works on its files", async () => {
    await using store = await openStore(join(temporaryDirectory("end"), "store"));
    await (await createContainer(store, "work", kept))[Symbol.asyncDispose]();
    await using _held = await holdContainer(store, "work");
    expect((await listContainers(store.root)).map(({ state }) => state)).toEqual([{ kind: "running" }]);
  });
});
