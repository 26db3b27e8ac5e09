import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Authorizer, openAuthorizer, type Scope } from "../../../store/registry/authorizer.ts";
import type { Credential } from "../../../store/registry/credential.ts";
import { type Endpoint, endpointsFor } from "../../../store/registry/endpoint.ts";
import { defaultRegistrySettings } from "../../../store/registry/settings.ts";
import {
  openTransport,
  type SeenRequest,
  type ServerAnswer,
  startServer,
  type TestServer,
  type TestTransport,
  tokenAnswer,
} from "./token-server.ts";

const pull: readonly Scope[] = [{ repository: "app", actions: ["pull"] }];
const push: readonly Scope[] = [{ repository: "app", actions: ["pull", "push"] }];
const mount: readonly Scope[] = [...push, { repository: "base", actions: ["pull"] }];

const user: Credential = { kind: "basic", username: "user", password: "password" };
const basicUser = `Basic ${Buffer.from("user:password").toString("base64")}`;

let server: TestServer;
let transport: TestTransport;
let answer: (request: SeenRequest) => ServerAnswer | Promise<ServerAnswer>;
let endpoint: Endpoint;
let clockMs: number;

/** T1, T2, … each good for `expires_in` seconds. */
const numbered = (fields: object = {}) => {
  let count = 0;
  return () => tokenAnswer({ token: `T${++count}`, expires_in: 300, ...fields });
};

beforeEach(async () => {
  answer = numbered();
  clockMs = 0;
  server = await startServer((request) => answer(request));
  transport = openTransport();
  endpoint = endpointsFor({ registry: server.host, repository: "app" }, defaultRegistrySettings).writing;
});
afterEach(async () => {
  await transport[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

function open(credential?: Credential, options: { onIdentityToken?: (token: string) => void } = {}): Authorizer {
  const find = async (registry: string) => (registry === server.host ? credential : undefined);
  return openAuthorizer({ ...transport, credentials: { find }, now: () => clockMs, ...options });
}

const bearer = (params = "") => [`Bearer realm="${server.origin}/token",service="registry"${params}`];
const refusal = (refused?: string, params?: string) => ({ wwwAuthenticate: bearer(params), refused });
const asked = () => server.requests.map(({ query }) => query.getAll("scope").join(" "));

describe("before anything is known of a server", () => {
  it.each<[name: string, Credential]>([
    ["a password", user],
    ["an identity token", { kind: "identity", token: "I" }],
    ["a ready token", { kind: "bearer", token: "B" }],
  ])("%s is not sent", async (_name, credential) => {
    expect(await open(credential).authorization(endpoint, pull)).toBeUndefined();
    expect(server.requests).toEqual([]);
  });

  it("the credential is not even looked for", async () => {
    const find = () => Promise.reject(new Error("looked for"));
    const authorizer = openAuthorizer({ ...transport, credentials: { find } });
    expect(await authorizer.authorization(endpoint, pull)).toBeUndefined();
  });
});

describe("Basic", () => {
  const basic = { wwwAuthenticate: ['Basic realm="registry"'], refused: undefined };

  it("is answered with name and password, from then on in every repository of the server at once", async () => {
    const authorizer = open(user);
    expect(await authorizer.challenge(endpoint, pull, basic)).toBe(true);
    expect(await authorizer.authorization(endpoint, pull)).toBe(basicUser);
    expect(await authorizer.authorization({ ...endpoint, repository: "other" }, push)).toBe(basicUser);
    expect(server.requests).toEqual([]);
  });

  it("is answered with an identity token in the place of a password, as Azure's registry has it", async () => {
    const authorizer = open({ kind: "identity", token: "I" });
    expect(await authorizer.challenge(endpoint, pull, basic)).toBe(true);
    const value = await authorizer.authorization(endpoint, pull);
    expect(Buffer.from(value?.slice("Basic ".length) ?? "", "base64").toString()).toBe("00000000-0000-0000-0000-000000000000:I");
  });

  it.each<[name: string, Credential | undefined]>([
    ["by nobody", undefined],
    ["by a ready token", { kind: "bearer", token: "B" }],
  ])("cannot be answered %s", async (_name, credential) => {
    const authorizer = open(credential);
    expect(await authorizer.challenge(endpoint, pull, basic)).toBe(false);
    expect(await authorizer.authorization(endpoint, pull)).toBeUndefined();
  });

  it("is final when it was refused", async () => {
    expect(await open(user).challenge(endpoint, pull, { ...basic, refused: basicUser })).toBe(false);
  });

  it("attack: another server of the same registry does not get what only one has asked for", async () => {
    const authorizer = open(user);
    await authorizer.challenge(endpoint, pull, basic);
    expect(await authorizer.authorization({ ...endpoint, origin: "https://elsewhere.example" }, pull)).toBeUndefined();
  });
});

describe("Bearer", () => {
  it("is answered with a token, which is kept", async () => {
    const authorizer = open(user);
    expect(await authorizer.challenge(endpoint, pull, refusal())).toBe(true);
    expect([await authorizer.authorization(endpoint, pull), await authorizer.authorization(endpoint, pull)]).toEqual([
      "Bearer T1",
      "Bearer T1",
    ]);
    expect(server.requests.map(({ method, authorization }) => [method, authorization])).toEqual([["GET", basicUser]]);
  });

  it("is preferred to Basic, whichever comes first", async () => {
    const authorizer = open(user);
    expect(await authorizer.challenge(endpoint, pull, { wwwAuthenticate: ['Basic realm="x"', ...bearer()], refused: undefined })).toBe(
      true,
    );
    expect(await authorizer.authorization(endpoint, pull)).toBe("Bearer T1");
  });

  it("gets a token for every set of scopes, and the widest one serves the narrower", async () => {
    const authorizer = open();
    await authorizer.challenge(endpoint, pull, refusal());
    expect(await authorizer.authorization(endpoint, mount)).toBe("Bearer T2");
    expect(await authorizer.authorization(endpoint, push)).toBe("Bearer T2");
    expect(await authorizer.authorization(endpoint, pull)).toBe("Bearer T2");
    expect(asked()).toEqual(["repository:app:pull", "repository:app:pull,push repository:base:pull"]);
  });

  it("gives another repository of the server its token at once", async () => {
    const authorizer = open();
    await authorizer.challenge(endpoint, pull, refusal());
    const other = { ...endpoint, repository: "other" };
    expect(await authorizer.authorization(other, [{ repository: "other", actions: ["pull"] }])).toBe("Bearer T2");
    expect(asked()).toEqual(["repository:app:pull", "repository:other:pull"]);
  });

  it("takes the challenge's scopes where there are none of ours", async () => {
    const authorizer = open();
    expect(await authorizer.challenge(endpoint, [], refusal(undefined, ',scope="registry:catalog:*"'))).toBe(true);
    expect(await authorizer.authorization(endpoint, [])).toBe("Bearer T1");
    expect(asked()).toEqual(["registry:catalog:*"]);
  });

  it("passes over the challenge's scopes where ours are known", async () => {
    const authorizer = open();
    await authorizer.challenge(endpoint, push, refusal(undefined, ',scope="repository:app:pull"'));
    expect(asked()).toEqual(["repository:app:pull,push"]);
  });

  it("asks once for what several requests want at the same time", async () => {
    const authorizer = open();
    expect(await Promise.all([1, 2, 3].map(() => authorizer.challenge(endpoint, pull, refusal())))).toEqual([true, true, true]);
    expect(server.requests).toHaveLength(1);
  });

  it("sends a ready token as it is, once it was asked for", async () => {
    const authorizer = open({ kind: "bearer", token: "B" });
    expect(await authorizer.challenge(endpoint, pull, refusal())).toBe(true);
    expect(await authorizer.authorization(endpoint, pull)).toBe("Bearer B");
    expect(await authorizer.challenge(endpoint, pull, refusal("Bearer B"))).toBe(false);
    expect(server.requests).toEqual([]);
  });

  it.each([["Negotiate"], ["Bearer"], [""]])("cannot answer %j", async (value) => {
    expect(await open(user).challenge(endpoint, pull, { wwwAuthenticate: [value], refused: undefined })).toBe(false);
  });
});

describe("time", () => {
  it.each<[name: string, fields: object, goodUntilMs: number]>([
    ["300 s", { expires_in: 300 }, 290_000],
    ["no word: a minute", { expires_in: undefined }, 50_000],
    ["8 s", { expires_in: 8 }, 6_000],
  ])("a token is renewed before it expires: %s", async (_name, fields, goodUntilMs) => {
    answer = numbered(fields);
    const authorizer = open();
    await authorizer.challenge(endpoint, pull, refusal());
    clockMs = goodUntilMs - 1;
    expect(await authorizer.authorization(endpoint, pull)).toBe("Bearer T1");
    clockMs = goodUntilMs;
    expect(await authorizer.authorization(endpoint, pull)).toBe("Bearer T2");
  });

  it("a token that was good is renewed when it is refused, as often as that happens", async () => {
    const authorizer = open();
    await authorizer.challenge(endpoint, pull, refusal());
    for (const [current, next] of [
      ["T1", "T2"],
      ["T2", "T3"],
      ["T3", "T4"],
    ]) {
      for (let use = 0; use < 2; use += 1) expect(await authorizer.authorization(endpoint, pull)).toBe(`Bearer ${current}`);
      expect(await authorizer.challenge(endpoint, pull, refusal(`Bearer ${current}`, ',error="invalid_token"'))).toBe(true);
      expect(await authorizer.authorization(endpoint, pull)).toBe(`Bearer ${next}`);
    }
  });

  it("a token that several requests find refused is renewed once", async () => {
    const authorizer = open();
    await authorizer.challenge(endpoint, pull, refusal());
    await authorizer.authorization(endpoint, pull);
    await authorizer.authorization(endpoint, pull);
    expect(await authorizer.challenge(endpoint, pull, refusal("Bearer T1"))).toBe(true);
    expect(await authorizer.challenge(endpoint, pull, refusal("Bearer T1"))).toBe(true);
    expect(await authorizer.authorization(endpoint, pull)).toBe("Bearer T2");
    expect(server.requests).toHaveLength(2);
  });
});

describe("a refusal is final", () => {
  it("when a token and the one in its place are refused before either was good", async () => {
    const authorizer = open();
    await authorizer.challenge(endpoint, pull, refusal());
    expect(await authorizer.challenge(endpoint, pull, refusal(await authorizer.authorization(endpoint, pull)))).toBe(true);
    expect(await authorizer.challenge(endpoint, pull, refusal(await authorizer.authorization(endpoint, pull)))).toBe(false);
    expect(server.requests).toHaveLength(2);
  });

  it("when the registry says that these scopes are not enough, and names no others", async () => {
    const authorizer = open();
    await authorizer.challenge(endpoint, push, refusal());
    const denied = refusal(await authorizer.authorization(endpoint, push), ',scope="repository:app:push",error="insufficient_scope"');
    expect(await authorizer.challenge(endpoint, push, denied)).toBe(false);
    expect(server.requests).toHaveLength(1);
  });

  it("only after scopes that the registry names were asked for too", async () => {
    const authorizer = open();
    await authorizer.challenge(endpoint, pull, refusal());
    const more = ',scope="repository:proxied/app:pull",error="insufficient_scope"';
    expect(await authorizer.challenge(endpoint, pull, refusal(await authorizer.authorization(endpoint, pull), more))).toBe(true);
    const wider = await authorizer.authorization(endpoint, pull);
    expect(wider).toBe("Bearer T2");
    expect(await authorizer.challenge(endpoint, pull, refusal(wider, more))).toBe(false);
    expect(asked()).toEqual(["repository:app:pull", "repository:app:pull repository:proxied/app:pull"]);
  });

  it("not when a wider token was refused: the exact one may be good", async () => {
    const authorizer = open();
    await authorizer.challenge(endpoint, mount, refusal());
    const denied = refusal(await authorizer.authorization(endpoint, pull), ',error="insufficient_scope"');
    expect(await authorizer.challenge(endpoint, pull, denied)).toBe(true);
    expect(await authorizer.authorization(endpoint, pull)).toBe("Bearer T2");
  });
});

describe("a token server that refuses", () => {
  it("is an error in the challenge, and nothing is asked anonymously", async () => {
    answer = () => ({ status: 401 });
    await expect(open(user).challenge(endpoint, pull, refusal())).rejects.toMatchObject({
      code: "REGISTRY_DENIED",
      message: `authenticating at ${server.host}: the username or password is refused: ${server.host} answers 401 unauthorized`,
    });
    expect(server.requests.map(({ authorization }) => authorization)).toEqual([basicUser]);
  });

  it("leaves the word to a repository that it was not named for", async () => {
    const authorizer = open();
    await authorizer.challenge(endpoint, pull, refusal());
    answer = ({ path }) => (path === "/other-token" ? tokenAnswer({ token: "other" }) : { status: 404 });
    const other = { ...endpoint, repository: "other" };
    expect(await authorizer.authorization(other, pull)).toBeUndefined();
    const wwwAuthenticate = [`Bearer realm="${server.origin}/other-token"`];
    expect(await authorizer.challenge(other, pull, { wwwAuthenticate, refused: undefined })).toBe(true);
    expect(await authorizer.authorization(other, pull)).toBe("Bearer other");
  });

  it("that does not answer is an error at once", async () => {
    const authorizer = open();
    await authorizer.challenge(endpoint, pull, refusal());
    answer = () => ({ status: 503 });
    await expect(authorizer.authorization(endpoint, push)).rejects.toMatchObject({ code: "REGISTRY_FAILED", status: 503 });
    expect(server.requests).toHaveLength(1 + 3);
  });
});

describe("identity tokens", () => {
  it("are replaced when the server gives another one, in every repository", async () => {
    answer = numbered({ refresh_token: "I2" });
    const authorizer = open({ kind: "identity", token: "I1" });
    await authorizer.challenge(endpoint, pull, refusal());
    await authorizer.authorization({ ...endpoint, repository: "other" }, push);
    expect(server.requests.map(({ form }) => form.get("refresh_token"))).toEqual(["I1", "I2"]);
  });

  it("attack: tokens that replace each other do not lead round in circles", async () => {
    const given = ["I2", "I1", "I2", "I1"];
    let count = 0;
    answer = () => tokenAnswer({ token: `T${count}`, refresh_token: given[count++] });
    const authorizer = open({ kind: "identity", token: "I1" });
    for (const repository of ["a", "b", "c", "d"]) await authorizer.challenge({ ...endpoint, repository }, pull, refusal());
    expect(server.requests.map(({ form }) => form.get("refresh_token"))).toEqual(["I1", "I2", "I1", "I2"]);
  });

  it("are asked for and handed over where somebody wants them", async () => {
    answer = numbered({ refresh_token: "I" });
    const heard: string[] = [];
    await open(user, { onIdentityToken: (token) => heard.push(token) }).challenge(endpoint, [], refusal());
    expect([heard, server.requests[0]?.query.get("offline_token")]).toEqual([["I"], "true"]);
  });
});

describe("waiting", () => {
  it("given up by one, goes on for the other", async () => {
    const cancel = new AbortController();
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    answer = async () => {
      cancel.abort(new Error("enough"));
      await released;
      return tokenAnswer({ token: "T" });
    };
    const authorizer = open();
    const first = authorizer.challenge(endpoint, pull, refusal(), { signal: cancel.signal });
    const second = authorizer.challenge(endpoint, pull, refusal());
    await expect(first).rejects.toThrow("enough");
    release();
    expect(await second).toBe(true);
    expect(server.requests).toHaveLength(1);
  });

  it("given up by all, ends the request, and the next asks anew", async () => {
    const cancel = new AbortController();
    answer = () => {
      cancel.abort(new Error("enough"));
      return new Promise<never>(() => undefined);
    };
    const authorizer = open();
    const waits = [1, 2].map(() => authorizer.challenge(endpoint, pull, refusal(), { signal: cancel.signal }));
    for (const wait of waits) await expect(wait).rejects.toThrow("enough");
    answer = numbered();
    expect(await authorizer.challenge(endpoint, pull, refusal())).toBe(true);
  });
});
