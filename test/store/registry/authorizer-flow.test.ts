import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openAuthorizer, type Scope } from "../../../store/registry/authorizer.ts";
import { type Caller, openCaller } from "../../../store/registry/call.ts";
import type { Credential } from "../../../store/registry/credential.ts";
import { type Endpoint, endpointsFor } from "../../../store/registry/endpoint.ts";
import { defaultRegistrySettings } from "../../../store/registry/settings.ts";
import { type FakeRegistry, type FakeRegistryOptions, startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { openTransport, type TestTransport } from "./token-server.ts";

const user: Credential = { kind: "basic", username: "user", password: "password" };
const pull: readonly Scope[] = [{ repository: "app", actions: ["pull"] }];
const push: readonly Scope[] = [{ repository: "app", actions: ["pull", "push"] }];

let transport: TestTransport;
let registry: FakeRegistry;
let caller: Caller;
let endpoint: Endpoint;
beforeEach(() => {
  transport = openTransport();
});
afterEach(async () => {
  await transport[Symbol.asyncDispose]();
  await registry.close();
});

async function open(options: FakeRegistryOptions, credential?: Credential): Promise<void> {
  registry = await startFakeRegistry(options);
  registry.putBlob("app", Buffer.from("content"));
  const authorizer = openAuthorizer({ ...transport, credentials: { find: async () => credential } });
  caller = openCaller({ ...transport, authorizer });
  endpoint = endpointsFor({ registry: registry.host, repository: "app" }, defaultRegistrySettings).writing;
}

const read = async () => {
  const response = await caller.call(endpoint, { doing: "listing", method: "GET", target: "tags/list", scopes: pull, expect: [200, 404] });
  await response.discard();
};
const startUpload = async () => {
  const response = await caller.call(endpoint, {
    doing: "uploading",
    method: "POST",
    target: "blobs/uploads/",
    scopes: push,
    expect: [202],
  });
  await response.discard();
};
/** Who asked for what, and with which scheme. */
const log = () => registry.requests.map(({ method, path, headers }) => `${method} ${path} ${headers.authorization?.split(" ")[0] ?? "-"}`);

describe("requests to a registry", () => {
  it("with Basic are refused once, and then begin with the password", async () => {
    await open({ auth: "basic" }, user);
    await read();
    await startUpload();
    expect(log()).toEqual(["GET /v2/app/tags/list -", "GET /v2/app/tags/list Basic", "POST /v2/app/blobs/uploads/ Basic"]);
  });

  it("with Bearer get a token for each thing that they do", async () => {
    await open({ auth: "bearer" }, user);
    for (let i = 0; i < 2; i += 1) {
      await read();
      await startUpload();
    }
    expect(log()).toEqual([
      "GET /v2/app/tags/list -",
      "GET /token Basic",
      "GET /v2/app/tags/list Bearer",
      "GET /token Basic",
      "POST /v2/app/blobs/uploads/ Bearer",
      "GET /v2/app/tags/list Bearer",
      "POST /v2/app/blobs/uploads/ Bearer",
    ]);
  });

  it.each<[name: string, FakeRegistryOptions, Credential | undefined]>([
    ["anonymously", { anonymousPull: true }, undefined],
    ["with access_token", { tokenField: "access_token" }, user],
    ["where only POST gives tokens", { tokenMethods: ["POST"] }, user],
    ["with an identity token", { tokenMethods: ["POST"], refreshToken: "I" }, { kind: "identity", token: "I" }],
    ["from a token server of its own", { ownTokenServer: true }, user],
    ["where each token is good for one request", { tokenUses: 1 }, user],
    ["where a token says nothing of its time", { tokenLifetimeSeconds: undefined }, user],
  ])("with Bearer go through %s", async (_name, options, credential) => {
    await open({ auth: "bearer", ...options }, credential);
    for (let i = 0; i < 5; i += 1) await read();
    expect(registry.requests.at(-1)?.status).toBe(200);
  });

  it("go on with another token when all have been revoked", async () => {
    await open({ auth: "bearer" }, user);
    await startUpload();
    registry.expireTokens();
    await Promise.all([startUpload(), startUpload(), startUpload()]);
    expect(log().filter((line) => line.startsWith("GET /token"))).toHaveLength(2);
  });

  it.each<[name: string, FakeRegistryOptions, Credential | undefined, code: string]>([
    ["nobody may push", { anonymousPull: true }, undefined, "REGISTRY_DENIED"],
    ["nobody may push, with 403", { anonymousPull: true, deniedStatus: 403 }, undefined, "REGISTRY_DENIED"],
    ["the password is wrong", {}, { kind: "basic", username: "user", password: "wrong" }, "REGISTRY_DENIED"],
    ["the ready token is wrong", {}, { kind: "bearer", token: "wrong" }, "REGISTRY_DENIED"],
  ])("end soon when %s", async (_name, options, credential, code) => {
    await open({ auth: "bearer", ...options }, credential);
    await expect(startUpload()).rejects.toMatchObject({ code });
    expect(registry.requests.length).toBeLessThanOrEqual(3);
  });
});
