import { afterAll, beforeAll, expect, it } from "vitest";
import { type FakeRegistry, startFakeRegistry } from "./fake-registry.ts";
import type { Fault, Step } from "./fault.ts";
import { type FaultProxy, startFaultProxy } from "./fault-proxy.ts";

let registry: FakeRegistry;
let proxy: FaultProxy;
let expired = 0;
const blob = Buffer.alloc(300_000, "blob");

beforeAll(async () => {
  registry = await startFakeRegistry();
  proxy = await startFaultProxy(registry.url);
});

afterAll(async () => {
  await proxy.close();
  await registry.close();
});

const getBlob: Step = { method: "GET", route: "blob", nth: 1 };
const patch: Step = { method: "PATCH", route: "upload", nth: 1 };

/** What a plain client sees: the status and how much of the body is right, or that the connection broke or stalled. */
async function look(path: string, init: RequestInit = {}): Promise<string> {
  try {
    // On a connection of its own: where a fault left one half read, the next request on it would wait.
    const headers = { ...(init.headers as Record<string, string> | undefined), connection: "close" };
    const response = await fetch(`http://${proxy.host}${path}`, { redirect: "manual", signal: AbortSignal.timeout(500), ...init, headers });
    const length = response.headers.get("content-length");
    const body = Buffer.from(await response.arrayBuffer());
    const sort = body.equals(blob) ? "the blob" : `${body.length} other bytes`;
    return response.status === 200 ? `200 ${length} ${sort}` : `${response.status}`;
  } catch (error) {
    return error instanceof Error && error.name === "TimeoutError" ? "stalled" : "broken";
  }
}

it.each<[name: string, step: Step, fault: Fault, seen: string]>([
  ["nothing at another step", { ...getBlob, nth: 2 }, { kind: "reset" }, "200 300000 the blob"],
  ["a cut in the middle of the answer", getBlob, { kind: "cut response", at: "middle" }, "broken"],
  ["a cut at the first byte of the answer", getBlob, { kind: "cut response", at: 0 }, "broken"],
  ["a lost answer", getBlob, { kind: "lost answer" }, "broken"],
  ["an answer that stalls", getBlob, { kind: "stall response", at: 70_000 }, "stalled"],
  ["a request that stalls", getBlob, { kind: "stall request", at: 0 }, "stalled"],
  ["a request that is cut", getBlob, { kind: "cut request", at: 0 }, "broken"],
  ["a reset", getBlob, { kind: "reset" }, "broken"],
  ["refused connections", getBlob, { kind: "refused connections", forMs: 20 }, "broken"],
  ["a 429", getBlob, { kind: "rate limited", retryAfter: "1" }, "429"],
  ["a 500", getBlob, { kind: "server error", status: 500 }, "500"],
  ["a flipped byte", getBlob, { kind: "flipped byte", of: "response" }, "200 300000 300000 other bytes"],
  ["a length that is too large", getBlob, { kind: "wrong length", by: 1 }, "broken"],
  ["a length that is too small", getBlob, { kind: "wrong length", by: -1 }, "200 299999 299999 other bytes"],
  ["a redirect", getBlob, { kind: "redirect", status: 307 }, "307"],
  ["an expired token", getBlob, { kind: "expired token", expire: () => (expired += 1) }, "200 300000 the blob"],
])("%s", async (_name, step, fault, seen) => {
  const digest = registry.putBlob("app", blob);
  proxy.arm(step, fault);
  expect(await look(`/v2/app/blobs/${digest}`)).toBe(seen);
  expect(proxy.hits()).toBe(step.nth === 1 ? 1 : 0);
  proxy.disarm();
  // Once the fault is over, all is well again.
  await expect.poll(() => look(`/v2/app/blobs/${digest}`)).toBe("200 300000 the blob");
  if (fault.kind === "expired token") expect(expired).toBe(1);
});

it.each<[name: string, fault: Fault, seen: string, status: string]>([
  ["nothing at all", { kind: "cut response", at: 0 }, "202", "0-299999"],
  ["a cut in the middle of a chunk", { kind: "cut request", at: "middle" }, "broken", "0-149999"],
  ["a cut behind a chunk", { kind: "cut request", at: 1_000_000 }, "broken", "0-299998"],
  ["a stall in the middle of a chunk", { kind: "stall request", at: 1000 }, "stalled", "0-999"],
  ["the lost answer to a chunk", { kind: "lost answer" }, "broken", "0-299999"],
  ["a chunk that is sent twice", { kind: "sent twice" }, "416", "0-299999"],
  ["a chunk out of order", { kind: "chunk out of order" }, "416", "0-0"],
  ["a 503 before the body is read", { kind: "server error", status: 503 }, "503", "0-0"],
])("%s leaves what the registry has", async (_name, fault, seen, status) => {
  const start = await fetch(`${registry.url}/v2/app/blobs/uploads/`, { method: "POST" });
  const location = start.headers.get("location") ?? "";
  proxy.arm(patch, fault);
  expect(await look(location, { method: "PATCH", body: blob, headers: { "content-range": "0-299999" } })).toBe(seen);
  expect(proxy.hits()).toBe(1);
  proxy.disarm();
  await expect.poll(async () => (await fetch(`${registry.url}${location}`)).headers.get("range")).toBe(status);
});

it("passes on what a redirect takes away, and tells of credentials that follow it", async () => {
  registry.behaviour.auth = "basic";
  try {
    const digest = registry.putBlob("app", blob);
    const authorization = `Basic ${Buffer.from("user:password").toString("base64")}`;
    proxy.arm(getBlob, { kind: "redirect", status: 307 });
    const response = await fetch(`http://${proxy.host}/v2/app/blobs/${digest}`, { redirect: "manual", headers: { authorization } });
    const location = response.headers.get("location") ?? "";
    expect(Buffer.from(await (await fetch(location)).arrayBuffer()).equals(blob)).toBe(true);
    expect(proxy.leaks).toEqual([]);
    await (await fetch(location, { headers: { authorization } })).arrayBuffer();
    expect(proxy.leaks).toEqual([authorization]);
    proxy.arm(getBlob, { kind: "unauthorized" });
    expect(await look(`/v2/app/blobs/${digest}`, { headers: { authorization } })).toBe("401");
  } finally {
    registry.behaviour.auth = "none";
  }
});
