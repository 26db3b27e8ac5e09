import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { contextDirectory } from "../support/context.ts";
import { checkLayout, transientFiles } from "../support/layout.ts";
import { needs } from "../support/needs.ts";
import { startCuttingLine } from "../support/registry/cutting-line.ts";
import { type DebianRegistry, startDebianRegistry } from "../support/registry/debian-registry.ts";
import type { Fault, Step } from "../support/registry/fault.ts";
import { type FaultProxy, startFaultProxy } from "../support/registry/fault-proxy.ts";
import { inspectRemote, type RemoteContent } from "../support/registry/inspect-remote.ts";
import { type Machine, newMachine } from "../support/registry/machine.ts";
import { sampleBytes } from "../support/sample-bytes.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let registry: DebianRegistry;
/** Between the machines and the registry. */
let proxy: FaultProxy;
/** One layer, large enough to be sent by PATCH. */
let context: string;
/** HOST/whole, as it was pushed without a fault. */
let whole: RemoteContent;

/** Has the image `app`, and knows of no repository that has its layer. */
async function machineWithApp(from = context): Promise<Machine> {
  const machine = newMachine();
  await machine.must(["-q", "-t", "app", "--source-date-epoch", "0", from]);
  return machine;
}

/** A build of one layer. */
function contextOf(large: Buffer): string {
  const directory = contextDirectory({ Dockerfile: "FROM scratch\nCOPY large /large\n" });
  writeFileSync(join(directory, "large"), large);
  return directory;
}

describe("docker-registry behind a line that breaks", needs("dockerRegistry"), () => {
  beforeAll(async () => {
    registry = await startDebianRegistry({ directory: temporaryDirectory("registry") });
    proxy = await startFaultProxy(`http://${registry.host}`);
    context = contextOf(sampleBytes(16 * 2 ** 20));
    const machine = await machineWithApp();
    await machine.must(["push", "-q", "app", `${registry.host}/whole`]);
    whole = await inspectRemote(registry.host, "whole");
  });
  afterAll(async () => {
    await proxy.close();
    await registry.close();
  });

  const patch: Step = { method: "PATCH", route: "upload", nth: 1 };
  const closing: Step = { method: "PUT", route: "upload", nth: 1 };
  const manifest: Step = { method: "PUT", route: "manifest", nth: 1 };

  it.each<[what: string, step: Step, fault: Fault, sent: readonly string[]]>([
    // It gives an upload up whose body broke off. So the layer is sent again, in chunks.
    [
      "a layer's body breaks off",
      patch,
      { kind: "cut request", at: "middle" },
      ["PATCH 202", "PATCH 202", "PATCH 202", "PATCH 500", "PUT 201", "PUT 201", "PUT 201"],
    ],
    ["the answer to a closing PUT is lost", closing, { kind: "lost answer" }, ["PATCH 202", "PUT 201", "PUT 201", "PUT 201"]],
    ["the manifest is answered with 503", manifest, { kind: "server error", status: 503 }, ["PATCH 202", "PUT 201", "PUT 201", "PUT 201"]],
  ])("gets a whole image: %s", async (what, step, fault, sent) => {
    const machine = await machineWithApp();
    const repository = what.toLowerCase().replace(/\W+/g, "-");
    proxy.arm(step, fault);
    const requests = await registry.requestsDuring(() => machine.must(["push", "app", `${proxy.host}/${repository}`]));
    expect(proxy.hits()).toBe(1);
    // Of the layer, of the config, and the manifest.
    expect(
      requests
        .filter(({ method }) => method === "PATCH" || method === "PUT")
        .map(({ method, status }) => `${method} ${status}`)
        .sort(),
    ).toEqual(sent);
    expect(await inspectRemote(registry.host, repository)).toEqual(whole);
    expect(transientFiles(machine.store)).toEqual([]);
  });

  it("gets a large layer over a line on which no connection lasts", async () => {
    const machine = await machineWithApp(contextOf(randomBytes(60_000_000)));
    await using line = await startCuttingLine(registry.host, 20_000_000);
    const requests = await registry.requestsDuring(() => machine.must(["push", "app", `${line.host}/worn`]));
    expect(line.breaks()).toBe(1);
    expect(requests.filter(({ method }) => method === "PATCH").map(({ status }) => status)).toEqual([500, 202, 202, 202, 202]);
    await machine.must(["push", "app", `${registry.host}/well`]);
    expect(await inspectRemote(registry.host, "worn")).toEqual(await inspectRemote(registry.host, "well"));
  });

  it.each<[what: string, nth: number, fault: Fault, answers: readonly number[]]>([
    ["the config's connection is reset", 1, { kind: "reset" }, [200, 200]],
    ["a layer breaks off, and goes on from there", 2, { kind: "cut response", at: "middle" }, [200, 200, 206]],
    ["a bit of a layer is another one", 2, { kind: "flipped byte", of: "response" }, [200, 200, 200]],
  ])("gives a whole image: %s", async (_what, nth, fault, answers) => {
    const machine = newMachine();
    proxy.arm({ method: "GET", route: "blob", nth }, fault);
    const requests = await registry.requestsDuring(() => machine.must(["pull", `${proxy.host}/whole@${whole.digest}`]));
    expect(proxy.hits()).toBe(1);
    expect(
      requests
        .filter(({ path }) => path.includes("/blobs/"))
        .map(({ status }) => status)
        .sort(),
    ).toEqual(answers);
    expect(checkLayout(machine.store).damage).toEqual([]);
    expect(transientFiles(machine.store)).toEqual([]);
  });
});
