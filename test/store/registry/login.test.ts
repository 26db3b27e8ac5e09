import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { endpointsFor } from "../../../store/registry/endpoint.ts";
import { checkLogin } from "../../../store/registry/login.ts";
import { defaultRegistrySettings } from "../../../store/registry/settings.ts";
import { type FakeRegistry, type FakeRegistryOptions, startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { openTransport, startServer, type TestTransport, tokenAnswer } from "./token-server.ts";

const account = { username: "user", password: "password" };
const basic = { kind: "basic", ...account };

let transport: TestTransport;
let registry: FakeRegistry | undefined;
beforeEach(() => {
  transport = openTransport();
});
afterEach(async () => {
  await transport[Symbol.asyncDispose]();
  await registry?.close();
  registry = undefined;
});

const endpointOf = (host: string) => endpointsFor({ registry: host, repository: "" }, defaultRegistrySettings).writing;

async function logIn(options: FakeRegistryOptions, shown = account) {
  registry = await startFakeRegistry(options);
  return checkLogin(transport, endpointOf(registry.host), shown);
}

describe("a credential is shown to a registry", () => {
  it.each<[name: string, FakeRegistryOptions, log: string[]]>([
    ["with Basic", { auth: "basic" }, ["GET /v2/ 401", "GET /v2/ 200"]],
    ["with Bearer", { auth: "bearer" }, ["GET /v2/ 401", "GET /token 200", "GET /v2/ 200"]],
    [
      "with Bearer by POST",
      { auth: "bearer", tokenMethods: ["POST"] },
      ["GET /v2/ 401", "GET /token 405", "POST /token 200", "GET /v2/ 200"],
    ],
    ["with both", { auth: "basic-or-bearer" }, ["GET /v2/ 401", "GET /token 200", "GET /v2/ 200"]],
  ])("%s", async (_name, options, log) => {
    expect(await logIn(options)).toEqual({ open: false, keep: basic });
    expect(registry?.takeLog()).toEqual(log);
  });

  it("that asks nobody for anything", async () => {
    expect(await logIn({ auth: "none" })).toEqual({ open: true, keep: basic });
  });

  it("that gives an identity token, which is kept in its place", async () => {
    expect(await logIn({ auth: "bearer", tokenMethods: ["POST"], refreshToken: "I" })).toEqual({
      open: false,
      keep: { kind: "identity", token: "I" },
    });
  });

  it("that gives an identity token for GET with offline_token", async () => {
    await using server = await startServer(({ path, query, authorization }) => {
      if (path === "/token") return tokenAnswer({ token: "T", ...(query.get("offline_token") === "true" && { refresh_token: "I" }) });
      if (authorization === "Bearer T") return { status: 200 };
      return { status: 401, headers: { "www-authenticate": `Bearer realm="http://${server.host}/token"` } };
    });
    expect(await checkLogin(transport, endpointOf(server.host), account)).toEqual({ open: false, keep: { kind: "identity", token: "I" } });
  });
});

describe("a login that fails", () => {
  const wrong = { username: "user", password: "wr0ng-secret" };
  const hint = "check the name and the password; with two-factor login, registries want an access token in place of the password";

  it.each<[name: string, FakeRegistryOptions, message: string]>([
    ["Basic", { auth: "basic" }, "logging in to HOST: HOST answers 401 unauthorized: authentication required [UNAUTHORIZED]"],
    [
      "Bearer",
      { auth: "bearer" },
      "logging in to HOST: authenticating at HOST: the username or password is refused: HOST answers 401 unauthorized: incorrect username or password [UNAUTHORIZED]",
    ],
  ])("for a wrong password with %s", async (_name, options, message) => {
    const error = await logIn(options, wrong).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "REGISTRY_DENIED", message: message.replaceAll("HOST", registry?.host ?? ""), hint });
    const bearing = registry?.requests.filter(({ headers }) => headers.authorization !== undefined);
    expect(bearing).toHaveLength(1);
  });

  it("since there is no registry", async () => {
    await using server = await startServer(() => ({ status: 404 }));
    await expect(checkLogin(transport, endpointOf(server.host), account)).rejects.toMatchObject({
      code: "REGISTRY_NOT_FOUND",
      message: `logging in to ${server.host}: ${server.host} answers 404 not found`,
    });
  });

  it("attack: a redirect takes the password nowhere", async () => {
    await using thief = await startServer(() => ({ status: 401, headers: { "www-authenticate": 'Basic realm="mine"' } }));
    await using server = await startServer(({ authorization }) =>
      authorization === undefined
        ? { status: 401, headers: { "www-authenticate": 'Basic realm="x"' } }
        : { status: 307, headers: { location: `${thief.origin}/v2/` } },
    );
    await expect(checkLogin(transport, endpointOf(server.host), account)).rejects.toMatchObject({ code: "REGISTRY_DENIED" });
    expect(thief.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
  });
});
