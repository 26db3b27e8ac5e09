import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { sourceCredentials } from "../../../builder/fetch/source-credentials.ts";
import type { ProxyVariables } from "../../../store/registry/proxy.ts";
import { type GitServer, startGitServer } from "../../support/git-server.ts";
import { type HttpFiles, startHttpFiles } from "../../support/http-files.ts";
import { failureOf } from "./listing.ts";
import { testSources } from "./sources.ts";

const token = "t0ken-of-the-test";
const basic = `Basic ${Buffer.from(`x-access-token:${token}`).toString("base64")}`;

const secretsOf = (secrets: Readonly<Record<string, string>>) => async (id: string) => {
  const value = secrets[id];
  return value === undefined ? undefined : Buffer.from(value);
};

function credentialsOf(secrets: Readonly<Record<string, string>>, insecure: readonly string[] = [], proxy: ProxyVariables = {}) {
  const notes: string[] = [];
  const hosts = Object.fromEntries(insecure.map((host) => [host, { insecure: true }]));
  return { notes, ...sourceCredentials({ secret: secretsOf(secrets), settings: { hosts }, proxy, onNote: (note) => notes.push(note) }) };
}

describe("credentials for a repository", () => {
  it.each<[name: string, secrets: Record<string, string>, remote: string, isNamed: boolean, header: string | undefined]>([
    ["a token", { GIT_AUTH_TOKEN: token }, "https://host/x.git", true, basic],
    ["a token with the line end of its file", { GIT_AUTH_TOKEN: `${token}\n` }, "https://host/x.git", true, basic],
    ["a header as it is", { GIT_AUTH_HEADER: "Bearer abc" }, "https://host/x.git", true, "Bearer abc"],
    ["both: the header", { GIT_AUTH_TOKEN: token, GIT_AUTH_HEADER: "Bearer abc" }, "https://host/x.git", true, "Bearer abc"],
    ["the host's own first", { "GIT_AUTH_TOKEN.host:8443": token, GIT_AUTH_HEADER: "Bearer abc" }, "https://host:8443/x", true, basic],
    ["another host's", { "GIT_AUTH_TOKEN.host": token }, "https://other/x", true, undefined],
    ["another port's", { "GIT_AUTH_TOKEN.host": token }, "https://host:8443/x", true, undefined],
    ["a host that only a submodule names", { GIT_AUTH_TOKEN: token }, "https://host/x", false, undefined],
    ["its own secret for such a host", { "GIT_AUTH_TOKEN.host": token }, "https://host/x", false, basic],
    ["ssh", { GIT_AUTH_TOKEN: token }, "ssh://git@host/x", true, undefined],
    ["the scp form", { GIT_AUTH_TOKEN: token }, "git@host:x", true, undefined],
    ["plain http on this machine", { GIT_AUTH_TOKEN: token }, "http://127.0.0.1:8080/x", true, basic],
    ["plain http where that is allowed", { GIT_AUTH_TOKEN: token }, "http://allowed/x", true, basic],
  ])("%s", async (_name, secrets, remote, isNamed, header) => {
    const credentials = credentialsOf(secrets, ["allowed"]);
    expect((await credentials.git(remote, isNamed))?.header).toBe(header);
    expect(credentials.notes).toEqual([]);
  });

  it("are not sent over plain http, and that is said", async () => {
    const credentials = credentialsOf({ GIT_AUTH_TOKEN: token });
    expect(await credentials.git("http://host/x", true)).toBeUndefined();
    expect(credentials.notes).toEqual(['the secret "GIT_AUTH_TOKEN" is not sent to host: it would go over plain http']);
  });

  it("are not sent over plain http to a proxy, though the host may be trusted", async () => {
    const proxy = { http_proxy: "http://proxy", no_proxy: "direct" };
    const credentials = credentialsOf({ GIT_AUTH_TOKEN: token, HTTP_AUTH_TOKEN_allowed: token }, ["allowed", "direct"], proxy);
    expect(await credentials.git("http://allowed/x", true)).toBeUndefined();
    expect(await credentials.http(new URL("http://allowed/x"))).toBeUndefined();
    expect(credentials.notes).toEqual([
      'the secret "GIT_AUTH_TOKEN" is not sent to allowed: it would go over plain http through a proxy',
      'the secret "HTTP_AUTH_TOKEN_allowed" is not sent to allowed: it would go over plain http through a proxy',
    ]);
    for (const remote of ["http://direct/x", "http://127.0.0.2/x", "https://allowed/x"]) {
      expect((await credentials.git(remote, true))?.header, remote).toBe(basic);
    }
  });

  it.each<[string, string]>([
    ["a line break", "Bearer a\r\nX-Other: b"],
    ["nothing", " \n"],
    ["bytes that are no ASCII", "Bearer \u00e4"],
  ])("with %s are refused, and not shown", async (_name, value) => {
    expect(await failureOf(credentialsOf({ GIT_AUTH_HEADER: value }).git("https://host/x", true))).toBe(
      'SECRET_INVALID: reading the secret "GIT_AUTH_HEADER": it is no text that a header of http can have',
    );
  });
});

describe("credentials for a file", () => {
  it.each<[name: string, secrets: Record<string, string>, url: string, header: string | undefined]>([
    ["a token", { HTTP_AUTH_TOKEN_host: token }, "https://host:8443/x", `Bearer ${token}`],
    ["a header", { HTTP_AUTH_HEADER_host: "Basic abc" }, "https://host/x", "Basic abc"],
    ["both: the token", { HTTP_AUTH_HEADER_host: "Basic abc", HTTP_AUTH_TOKEN_host: token }, "https://host/x", `Bearer ${token}`],
    ["those of git", { GIT_AUTH_TOKEN: token }, "https://host/x", undefined],
    ["another host's", { HTTP_AUTH_TOKEN_host: token }, "https://a.host/x", undefined],
  ])("%s", async (_name, secrets, url, header) => {
    expect((await credentialsOf(secrets).http(new URL(url)))?.header).toBe(header);
  });
});

describe("a private server", () => {
  let server: GitServer;
  let other: GitServer;
  let web: HttpFiles;
  let otherWeb: HttpFiles;

  beforeAll(async () => {
    [server, other] = [await startGitServer(), await startGitServer()];
    [web, otherWeb] = [await startHttpFiles(), await startHttpFiles()];
    const inner = await other.commit("inner", { f: "of the submodule\n" });
    await server.commit("app", { "a.txt": "private\n" });
    await server.commit("outer", {
      ".gitmodules": `[submodule "i"]\n\tpath = i\n\turl = ${other.url("inner")}\n`,
      i: { submodule: inner },
    });
    await other.commit("app", { "a.txt": "elsewhere\n" });
  });
  afterEach(() => {
    for (const one of [server, other]) {
      one.redirect(undefined);
      one.authorizations.length = 0;
    }
  });
  afterAll(() => Promise.all([server.close(), other.close(), web.close(), otherWeb.close()]));

  const source = (url: string) => ({ kind: "git", remote: url, keepGitDir: true, submodules: true }) as const;

  it("hands out a repository to who has its secret, which is nowhere in the store", async () => {
    server.guard(basic);
    await using test = await testSources({ secret: secretsOf({ GIT_AUTH_TOKEN: token }) });
    const directory = await (await test.sources.git(source(server.url("app")))).directory();
    expect(readFileSync(join(directory, "a.txt"), "utf8")).toBe("private\n");
    expect(new Set(server.authorizations)).toEqual(new Set([basic]));
    const encoded = basic.slice("Basic ".length);
    const holding = readdirSync(test.store.root, { recursive: true, encoding: "utf8" }).filter((path) => {
      const file = join(test.store.root, path);
      if (!statSync(file).isFile()) return false;
      const text = readFileSync(file, "latin1");
      return text.includes(token) || text.includes(encoded);
    });
    expect(holding).toEqual([]);

    await using without = await testSources();
    const failure = await failureOf(without.sources.git(source(server.url("app"))));
    expect(failure).toContain("GIT_FAILED");
    server.guard("Basic b3RoZXI=");
    await using wrong = await testSources({ secret: secretsOf({ GIT_AUTH_TOKEN: token }) });
    const refused = await failureOf(wrong.sources.git(source(server.url("app"))));
    expect(refused).toContain("GIT_FAILED");
    expect(refused).not.toContain(token);
    expect(refused).not.toContain(encoded);
    server.guard(undefined);
  });

  it("that redirects git elsewhere is not followed with the secret", async () => {
    server.redirect(`http://${other.host}`);
    await using test = await testSources({ secret: secretsOf({ GIT_AUTH_TOKEN: token }) });
    expect(await failureOf(test.sources.git(source(server.url("app"))))).toContain("GIT_FAILED");
    expect(other.authorizations).toEqual([]);
  });

  it("whose submodule is elsewhere does not send the secret there", async () => {
    await using test = await testSources({ secret: secretsOf({ GIT_AUTH_TOKEN: token }) });
    const directory = await (await test.sources.git(source(server.url("outer")))).directory();
    expect(readFileSync(join(directory, "i/f"), "utf8")).toBe("of the submodule\n");
    expect(new Set(server.authorizations)).toEqual(new Set([basic]));
    expect(new Set(other.authorizations)).toEqual(new Set([""]));
  });

  it("that only a trigger of an image names gets its own secret alone", async () => {
    server.guard(basic);
    const ofImage = { ...source(server.url("app")), byImage: true } as const;
    await using test = await testSources({ secret: secretsOf({ GIT_AUTH_TOKEN: token }) });
    expect(await failureOf(test.sources.git(ofImage))).toContain("GIT_FAILED");
    expect(new Set(server.authorizations)).toEqual(new Set([""]));
    await using own = await testSources({ secret: secretsOf({ [`GIT_AUTH_TOKEN.${server.host}`]: token }) });
    expect((await own.sources.git(ofImage)).commit).toMatch(/^[0-9a-f]{40}$/);
    server.guard(undefined);
  });

  it.each(["127.0.0.2", "127.1", "localhost"])(
    "on this machine is not asked through a proxy, which would read the secret: %s",
    async (host) => {
      await using test = await testSources({
        secret: secretsOf({ GIT_AUTH_TOKEN: token }),
        proxy: { http_proxy: `http://${other.host}`, all_proxy: `http://${other.host}` },
        settings: { attempts: 1 },
      });
      const before = other.requests.length;
      // Nobody listens there.
      expect(await failureOf(test.sources.git(source(`http://${host}:1/app.git`)))).toContain("GIT_FAILED");
      expect(other.requests.slice(before)).toEqual([]);
    },
  );

  it("hands out a file, and where it redirects to hears nothing of the secret", async () => {
    const secret = secretsOf({ "HTTP_AUTH_TOKEN_127.0.0.1": token });
    web.serve("/own", "own");
    web.serve("/moved", { location: web.url("/own") });
    web.serve("/away", { location: otherWeb.url("/f") });
    otherWeb.serve("/f", "of another port");
    const file = (path: string) => ({ kind: "http", url: web.url(path), name: "f" }) as const;
    await using test = await testSources({ secret });
    await test.sources.http(file("/moved"));
    expect(web.lastHeaders().authorization).toBe(`Bearer ${token}`);
    await test.sources.http(file("/away"));
    expect(otherWeb.lastHeaders().authorization).toBeUndefined();
    expect(test.heard.join("\n")).not.toContain(token);
  });
});
