import { describe, expect, it } from "vitest";
import type { BearerChallenge } from "../../../store/registry/challenge.ts";
import type { Endpoint } from "../../../store/registry/endpoint.ts";
import { requestToken, type TokenCredential, type TokenRequest } from "../../../store/registry/token.ts";
import { openTransport, type SeenRequest, type ServerAnswer, startServer, type TestServer, tokenAnswer } from "./token-server.ts";

const password = "pass:w&rd é";
const user: TokenCredential = { kind: "basic", username: "user", password };
const identity: TokenCredential = { kind: "identity", token: "identity-secret" };
const basicUser = `Basic ${Buffer.from(`user:${password}`).toString("base64")}`;

/** A registry that is spoken to over TLS, and one on this machine. */
const remote: Endpoint = { registry: "registry.example", origin: "https://registry.example", repository: "app", insecure: false };
const local: Endpoint = {
  registry: "localhost:5000",
  origin: "https://localhost:5000",
  repository: "app",
  insecure: false,
  plainHttp: true,
};

function ask(realm: string, changes: Partial<TokenRequest> = {}, challenge: Partial<BearerChallenge> = {}): TokenRequest {
  return {
    endpoint: local,
    challenge: { scheme: "bearer", realm, service: "the service", ...challenge },
    scopes: ["repository:a:pull,push", "repository:b:pull"],
    credential: undefined,
    offline: false,
    sent: async () => (changes.credential === undefined ? { kind: "none" } : { kind: "some", place: { where: "FILE", isLogin: true } }),
    ...changes,
  };
}

async function fetchFrom(answer: (request: SeenRequest) => ServerAnswer, changes: Partial<TokenRequest> = {}, path = "/token") {
  await using server = await startServer(answer);
  await using transport = openTransport();
  const request = ask(`${server.origin}${path}`, changes);
  const outcome = await requestToken(transport, request).then(
    (granted) => ({ granted, error: undefined }),
    (error: unknown) => ({ granted: undefined, error: error as Error & { code: string; hint?: string } }),
  );
  return { ...outcome, server };
}

const shape = ({ method, path, query, authorization, form }: SeenRequest) => ({
  method,
  path,
  query: query.toString(),
  authorization,
  form: Object.fromEntries(form),
});

describe("how a token is asked for", () => {
  const query = "service=the+service&scope=repository%3Aa%3Apull%2Cpush&scope=repository%3Ab%3Apull&client_id=tsbuild";
  const get = { method: "GET", path: "/token", query, authorization: undefined, form: {} };
  const form = { client_id: "tsbuild", service: "the service", scope: "repository:a:pull,push repository:b:pull" };
  const post = { method: "POST", path: "/token", query: "", authorization: undefined };
  const good = tokenAnswer({ token: "T" });

  it.each<[name: string, changes: Partial<TokenRequest>, expected: object[]]>([
    ["by nobody", {}, [get]],
    ["with a password", { credential: user }, [{ ...get, authorization: basicUser }]],
    [
      "with a password, for an identity token too",
      { credential: user, offline: true },
      [{ ...get, query: `${query}&offline_token=true`, authorization: basicUser }],
    ],
    [
      "with an identity token",
      { credential: identity },
      [{ ...post, form: { ...form, grant_type: "refresh_token", refresh_token: "identity-secret" } }],
    ],
    ["without scopes", { scopes: [] }, [{ ...get, query: "service=the+service&client_id=tsbuild" }]],
  ])("%s", async (_name, changes, expected) => {
    const { server, granted } = await fetchFrom(() => good, changes);
    expect(granted).toEqual({ token: "T", lifetimeMs: 60_000 });
    expect(server.requests.map(shape)).toEqual(expected);
  });

  it.each([404, 405, 501])("with a password by POST, where GET is answered with %i", async (status) => {
    const { server, granted } = await fetchFrom(({ method }) => (method === "GET" ? { status } : good), {
      credential: user,
      offline: true,
    });
    expect(granted?.token).toBe("T");
    expect(server.requests.map(shape)[1]).toEqual({
      ...post,
      form: { ...form, grant_type: "password", username: "user", password, access_type: "offline" },
    });
  });

  it("behind a query that the realm has", async () => {
    const { server } = await fetchFrom(() => good, { scopes: [] }, "/token?account=a%20b");
    expect(server.requests.map(shape)).toEqual([{ ...get, query: "account=a+b&service=the+service&client_id=tsbuild" }]);
  });

  it("again, when it failed for a passing reason", async () => {
    let count = 0;
    const { server, granted } = await fetchFrom(() => (++count < 3 ? { status: 503 } : good), { credential: user });
    expect([granted?.token, server.requests.length]).toEqual(["T", 3]);
  });

  it("where redirects lead to, with the password on the same server", async () => {
    const { server, granted } = await fetchFrom(
      ({ path }) => (path === "/token" ? { status: 307, headers: { location: "/new?x=1" } } : good),
      {
        credential: user,
      },
    );
    expect(granted?.token).toBe("T");
    expect(server.requests.map(({ path, authorization }) => [path, authorization])).toEqual([
      ["/token", basicUser],
      ["/new", basicUser],
    ]);
  });
});

describe("what a token server answers", () => {
  it.each<[name: string, answer: object, expected: object]>([
    ["token", { token: "T", expires_in: 300 }, { token: "T", lifetimeMs: 300_000 }],
    ["access_token", { access_token: "T", expires_in: 300 }, { token: "T", lifetimeMs: 300_000 }],
    ["both", { token: "T", access_token: "T" }, { token: "T", lifetimeMs: 60_000 }],
    ["one of them empty", { token: "", access_token: "T" }, { token: "T", lifetimeMs: 60_000 }],
    ["another identity token", { token: "T", refresh_token: "R" }, { token: "T", lifetimeMs: 60_000, refreshToken: "R" }],
    ["a lifetime as text", { token: "T", expires_in: "90" }, { token: "T", lifetimeMs: 90_000 }],
    ["no lifetime at all", { token: "T", expires_in: 0 }, { token: "T", lifetimeMs: 60_000 }],
    ["a lifetime that is none", { token: "T", expires_in: null }, { token: "T", lifetimeMs: 60_000 }],
  ])("%s", async (_name, answer, expected) => {
    expect((await fetchFrom(() => tokenAnswer(answer))).granted).toEqual(expected);
  });

  it.each<[name: string, body: string, why: string]>([
    ["no JSON", "<html>secret</html>", "the answer is no JSON"],
    ["no object", '"T"', "the answer is no JSON object"],
    ["no token", "{}", "the answer holds no token"],
    ["a token that is no text", '{"token":{"a":1}}', "token is no text"],
    [
      "attack: a token with a line end, which would begin another header",
      '{"token":"T\\r\\nX-Evil: 1"}',
      "token holds characters that cannot stand in a header",
    ],
    [
      "attack: an identity token with a NUL",
      '{"token":"T","refresh_token":"a\\u0000"}',
      "refresh_token holds characters that cannot stand in a header",
    ],
    ["attack: an answer without an end", `{"token":"${"T".repeat(70_000)}"}`, "the answer is longer than 65536 bytes"],
  ])("refused: %s", async (_name, body, why) => {
    const { error, server } = await fetchFrom(() => ({ status: 200, body }));
    expect(error).toMatchObject({ code: "REGISTRY_PROTOCOL", message: `authenticating at localhost:5000: ${server.host}: ${why}` });
  });

  const hint =
    "the credentials sent were those in FILE, and may be wrong or expired: tsbuild login localhost:5000; or go on without them: tsbuild logout localhost:5000";
  const anonymous =
    "no credentials were sent: tsbuild login localhost:5000; many registries answer so too when the repository does not exist";
  it.each<[name: string, status: number, credential: TokenCredential | undefined, message: string, hint: string]>([
    ["nobody", 401, undefined, "HOST answers 401 unauthorized: no [DENIED]", anonymous],
    ["nobody, with 403", 403, undefined, "HOST answers 403 forbidden: no [DENIED]", anonymous],
    ["a password", 401, user, "the username or password is refused: HOST answers 401 unauthorized: no [DENIED]", hint],
    ["an identity token", 401, identity, "the identity token is refused: HOST answers 401 unauthorized: no [DENIED]", hint],
    ["an identity token, as OAuth2 does", 400, identity, "the identity token is refused: HOST answers 400 bad request: no [DENIED]", hint],
  ])("a refusal of %s", async (_name, status, credential, message, hint) => {
    const body = JSON.stringify({ errors: [{ code: "DENIED", message: "no" }] });
    const { error, server } = await fetchFrom(() => ({ status, body }), { credential });
    expect(error).toMatchObject({
      code: "REGISTRY_DENIED",
      message: `authenticating at localhost:5000: ${message.replace("HOST", server.host)}`,
      hint,
    });
    expect(server.requests).toHaveLength(1);
  });
});

describe("attacks on credentials", () => {
  const spoken = (error: Error | undefined): string =>
    JSON.stringify([error?.message, (error as { hint?: string }).hint, error?.cause, error]);

  it.each<[name: string, realm: (host: string) => string, message: string]>([
    ["a token server without TLS", (host) => `http://${host}/token`, "it wants credentials sent to HOST by plain http"],
    ["a realm that is no URL", () => "token", "it names no URL for tokens"],
    ["a realm of another scheme", () => "file:///etc/passwd", "it names no URL for tokens"],
    ["a realm with a user part", (host) => `https://admin:secret@${host}/token`, "its URL for tokens has a user part (host HOST)"],
  ])("%s gets none from a registry with TLS", async (_name, realm, message) => {
    await using server = await startServer(() => tokenAnswer({ token: "T" }));
    await using transport = openTransport();
    await expect(requestToken(transport, ask(realm(server.host), { endpoint: remote, credential: user }))).rejects.toMatchObject({
      code: "REGISTRY_PROTOCOL",
      message: `authenticating at registry.example: ${message.replace("HOST", server.host)}`,
    });
    expect(server.requests).toEqual([]);
  });

  it.each<[name: string, endpoint: Partial<Endpoint>, allowed: boolean]>([
    ["of this machine: one of this machine", {}, true],
    ["that is insecure", { registry: "r", origin: "https://r", insecure: true, plainHttp: true }, true],
    ["that is plain http itself", { registry: "r", origin: "http://r", plainHttp: false }, true],
    ["of another machine", { registry: "r", origin: "https://r", plainHttp: false }, false],
  ])("a token server without TLS for a registry %s", async (_name, endpoint, allowed) => {
    await using server = await startServer(() => tokenAnswer({ token: "T" }));
    await using transport = openTransport();
    const result = requestToken(transport, ask(`${server.origin}/token`, { endpoint: { ...local, ...endpoint } }));
    expect(
      await result.then(
        () => true,
        () => false,
      ),
    ).toBe(allowed);
  });

  it("a registry of this machine may not have them sent elsewhere by plain http", async () => {
    await using transport = openTransport();
    await expect(requestToken(transport, ask("http://auth.example/token", { credential: user }))).rejects.toMatchObject({
      message: "authenticating at localhost:5000: it wants credentials sent to auth.example by plain http",
      hint: "if that is meant so, set insecure = true for auth.example",
    });
  });

  it("a redirect to another server takes no password along, nor one back", async () => {
    const servers: TestServer[] = [];
    await using thief = await startServer(() => ({ status: 302, headers: { location: `${servers[0]?.origin}/back` } }));
    const { server, granted } = await (async () => {
      await using own = await startServer(({ path }) =>
        path === "/token" ? { status: 302, headers: { location: `${thief.origin}/steal` } } : tokenAnswer({ token: "T" }),
      );
      servers.push(own);
      await using transport = openTransport();
      return { server: own, granted: await requestToken(transport, ask(`${own.origin}/token`, { credential: user })) };
    })();
    expect(granted.token).toBe("T");
    expect(thief.requests.map(({ path, authorization }) => [path, authorization])).toEqual([["/steal", undefined]]);
    expect(server.requests.map(({ path, authorization }) => [path, authorization])).toEqual([
      ["/token", basicUser],
      ["/back", undefined],
    ]);
  });

  it("a redirect of a POST is not followed", async () => {
    await using thief = await startServer(() => tokenAnswer({ token: "T" }));
    const { error, server } = await fetchFrom(() => ({ status: 307, headers: { location: thief.origin } }), { credential: identity });
    expect(error).toMatchObject({ code: "REGISTRY_PROTOCOL", message: `authenticating at localhost:5000: ${server.host} answers 307` });
    expect(thief.requests).toEqual([]);
  });

  it.each<[name: string, location: (host: string) => string, why: string]>([
    ["a user part", (host) => `http://a:b@${host}/`, "a redirect that is not followed"],
    ["another scheme", () => "ftp://elsewhere/", "a redirect that is not followed"],
    ["no URL", () => "http://", "a redirect that is not followed"],
    ["itself", () => "/token", "more than 5 redirects"],
  ])("a redirect to %s is not followed", async (_name, location, why) => {
    const { error, server } = await fetchFrom(({ query: _query }) => ({ status: 302, headers: { location: location("127.0.0.1:1") } }));
    expect(error).toMatchObject({
      code: "REGISTRY_PROTOCOL",
      message: `authenticating at localhost:5000: ${server.host} answers with ${why}`,
    });
    expect(server.requests.length).toBeLessThanOrEqual(6);
  });

  it.each<[name: string, credential: TokenCredential, secrets: string[]]>([
    ["a password", user, [password, encodeURIComponent(password), "pass%3Aw%26rd+%C3%A9", basicUser.slice(6)]],
    ["an identity token", identity, ["identity-secret"]],
  ])("a server that repeats %s in its error does not get it printed", async (_name, credential, secrets) => {
    const message = secrets.map((secret) => `no "${secret}"`).join(", ");
    const { error } = await fetchFrom(() => ({ status: 401, body: JSON.stringify({ errors: [{ code: "DENIED", message }] }) }), {
      credential,
    });
    for (const secret of secrets) expect(spoken(error)).not.toContain(secret);
    expect(error?.message).toContain('no "***"');
  });

  it("a server that repeats a long token gets nothing of it printed", async () => {
    const token = "identity-secret-".repeat(99);
    const { error } = await fetchFrom(
      () => ({ status: 401, body: JSON.stringify({ error: "denied", error_description: `no "${token}"` }) }),
      {
        credential: { kind: "identity", token },
      },
    );
    expect(spoken(error)).not.toContain("secret");
    expect(error?.message).toContain('no "***"');
  });

  it("no error shows the query, which names repositories", async () => {
    const { error } = await fetchFrom(() => ({ status: 500 }), { credential: user });
    expect(error?.message).not.toMatch(/scope|\?/);
    expect(error).toMatchObject({ code: "REGISTRY_FAILED" });
  });
});

describe("a wait that is given up", () => {
  it("ends with the signal's reason", async () => {
    const cancel = new AbortController();
    const reason = new Error("enough");
    await using server = await startServer(() => {
      cancel.abort(reason);
      return new Promise<never>(() => undefined);
    });
    await using transport = openTransport();
    await expect(requestToken(transport, ask(`${server.origin}/token`), { signal: cancel.signal })).rejects.toBe(reason);
  });
});
