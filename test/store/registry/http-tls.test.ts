import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { ServerOptions } from "node:https";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { describe, expect, it } from "vitest";
import type { Endpoint } from "../../../store/registry/endpoint.ts";
import { openHttp } from "../../../store/registry/http.ts";
import type { RegistrySettings } from "../../../store/registry/settings.ts";
import { needs } from "../../support/needs.ts";
import { type IssuedCertificate, type PrivateAuthority, privateAuthority } from "../../support/registry/private-ca.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { endpointAt, failureOf, type LocalServer, serve, serveTls, settingsWith, textOf } from "./http-fixtures.ts";

const none: readonly string[] = [];

async function ask(
  server: Pick<LocalServer, "host">,
  settings: RegistrySettings,
  changes: Partial<Endpoint> = {},
  systemBundles = none,
): Promise<string> {
  const endpoint = endpointAt(server, { origin: `https://${server.host}`, ...changes });
  await using http = openHttp({ settings, systemBundles });
  const answer = await http.request(endpoint, { method: "GET", url: new URL("/v2/", endpoint.origin) });
  return `${answer.url.protocol} ${await textOf(answer.body)}`;
}

describe("TLS", needs("openssl"), () => {
  let made: { directory: string; authority: PrivateAuthority; server: IssuedCertificate } | undefined;
  /** Keys take time: one authority and one server certificate serve all tests. */
  function fixture() {
    if (made === undefined) {
      const directory = temporaryDirectory("tls");
      const authority = privateAuthority(directory);
      made = { directory, authority, server: authority.issue("server") };
    }
    return made;
  }
  const secure = (options: ServerOptions = {}) => {
    const { cert, key } = fixture().server;
    return serveTls({ cert, key, ...options }, (_request, response) => response.end("secure"));
  };

  it("is refused from an unknown authority, with what to write where", async () => {
    await using server = await secure();
    const { host } = server;
    expect(await failureOf(ask(server, settingsWith()))).toMatchObject({
      code: "REGISTRY_TLS",
      retryable: false,
      message: `${host}: its certificate is signed by an unknown authority (UNABLE_TO_VERIFY_LEAF_SIGNATURE)`,
      hint: `tsbuild.toml: [registry.host."${host}"] ca = "/path/of/the/authority.crt", or put that file in a certs.d folder: certs.d/${host}/ca.crt`,
    });
  });

  it("trusts the authority that the settings name", async () => {
    await using server = await secure();
    const settings = settingsWith({ hosts: { [server.host]: { ca: fixture().authority.ca } } });
    expect(await ask(server, settings)).toBe("https: secure");
  });

  it("trusts the authority in certs.d", async () => {
    await using server = await secure();
    const directory = temporaryDirectory("certs");
    mkdirSync(join(directory, server.host));
    writeFileSync(join(directory, server.host, "our.crt"), await readText(fixture().authority.ca));
    expect(await ask(server, settingsWith({ certificateDirectories: [join(directory, "none"), directory] }))).toBe("https: secure");
  });

  it("trusts whom the system trusts, though another authority is named for the host", async () => {
    await using server = await secure();
    const other = privateAuthority(temporaryDirectory("other"), "other");
    const settings = settingsWith({ hosts: { [server.host]: { ca: other.ca } } });
    expect(await ask(server, settings, {}, ["/nowhere", fixture().authority.ca])).toBe("https: secure");
  });

  it("checks nothing at an insecure endpoint", async () => {
    await using server = await secure();
    expect(await ask(server, settingsWith(), { insecure: true })).toBe("https: secure");
  });

  it("is refused for another name", async () => {
    const { authority } = fixture();
    const { cert, key } = authority.issue("elsewhere", "DNS:elsewhere.example");
    await using server = await secure({ cert, key });
    const error = await failureOf(ask(server, settingsWith({ hosts: { [server.host]: { ca: authority.ca } } })));
    expect(error).toMatchObject({ code: "REGISTRY_TLS", retryable: false });
    expect(String(error)).toContain(`${server.host}: its certificate is for another host: IP: 127.0.0.1 is not in the cert's list`);
  });

  /** Says whose certificate it was shown; does not insist on one. */
  const curious = async () => {
    const { authority, server } = fixture();
    const options: ServerOptions = {
      cert: server.cert,
      key: server.key,
      requestCert: true,
      rejectUnauthorized: false,
      ca: await readText(authority.ca),
    };
    return serveTls(options, ({ socket }, response) => response.end((socket as TLSSocket).getPeerCertificate().subject?.CN ?? "nobody"));
  };
  const clientOf = ({ ca, issue }: PrivateAuthority) => {
    const { certFile, keyFile } = issue("client");
    return { ca, clientCertificate: certFile, clientKey: keyFile };
  };

  it("shows the client's certificate of the settings", async () => {
    await using server = await curious();
    expect(await ask(server, settingsWith({ hosts: { [server.host]: clientOf(fixture().authority) } }))).toBe("https: client");
  });

  it("shows the client's certificate of certs.d", async () => {
    await using server = await curious();
    const { ca, clientCertificate, clientKey } = clientOf(fixture().authority);
    const directory = temporaryDirectory("certs");
    mkdirSync(join(directory, server.host));
    for (const [from, name] of [[ca, "ca.crt"] as const, [clientCertificate, "me.cert"] as const, [clientKey, "me.key"] as const]) {
      writeFileSync(join(directory, server.host, name), await readText(from));
    }
    expect(await ask(server, settingsWith({ certificateDirectories: [directory] }))).toBe("https: client");
  });

  it("attack: a redirect to another host does not get to see the client's certificate", async () => {
    await using registry = await secure();
    await using other = await curious();
    const { authority } = fixture();
    const settings = settingsWith({ hosts: { [registry.host]: clientOf(authority), [other.host]: { ca: authority.ca } } });
    await using http = openHttp({ settings, systemBundles: none });
    const endpoint = endpointAt(registry, { origin: `https://${registry.host}` });
    const answer = await http.request(endpoint, { method: "GET", url: new URL(`https://${other.host}/`) });
    expect(await textOf(answer.body)).toBe("nobody");
  });

  it("is refused by who insists on a client's certificate, with what to write where", async () => {
    const { directory, server: pair } = fixture();
    await using server = await insistingServer(directory, pair);
    expect(await failureOf(ask(server, settingsWith(), { insecure: true }))).toMatchObject({
      code: "REGISTRY_TLS",
      retryable: false,
      message: `${server.host}: it refuses our side of TLS (ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED)`,
      hint: `where it asks for a client certificate, tsbuild.toml: [registry.host."${server.host}"] client_certificate = "…", client_key = "…"`,
    });
  });

  it("is agreed on once for many requests, and resumed by further connections", async () => {
    const resumed: boolean[] = [];
    await using server = await secure();
    server.server.on("secureConnection", (socket: { isSessionReused(): boolean }) => resumed.push(socket.isSessionReused()));
    const endpoint = endpointAt(server, { origin: `https://${server.host}`, insecure: true });
    await using http = openHttp({ settings: settingsWith() });
    const get = () => http.request(endpoint, { method: "GET", url: new URL(endpoint.origin) });
    await (await get()).discard();
    await (await get()).discard();
    const answers = await Promise.all([get(), get()]);
    await Promise.all(answers.map((answer) => answer.discard()));
    expect(resumed).toEqual([false, true]);
  });

  describe("where plain http is allowed", () => {
    it("is spoken by who speaks it", async () => {
      await using server = await secure();
      const settings = settingsWith({ hosts: { [server.host]: { ca: fixture().authority.ca } } });
      expect(await ask(server, settings, { plainHttp: true })).toBe("https: secure");
    });

    it("is not given up because of its certificate", async () => {
      await using server = await secure();
      expect(await failureOf(ask(server, settingsWith(), { plainHttp: true }))).toMatchObject({ code: "REGISTRY_TLS" });
    });
  });
});

describe("plain http", () => {
  const plain = () => serve((_request, response) => void response.end("plain"));

  it("attack: is never spoken where it is not allowed", async () => {
    const urls: (string | undefined)[] = [];
    await using server = await serve((request, response) => {
      urls.push(request.url);
      response.end();
    });
    expect(await failureOf(ask(server, settingsWith()))).toMatchObject({
      code: "REGISTRY_TLS",
      retryable: false,
      message: `${server.host}: it does not answer with TLS (ERR_SSL_WRONG_VERSION_NUMBER)`,
      hint: `where it is meant to speak plain http, tsbuild.toml: [registry.host."${server.host}"] insecure = true`,
    });
    expect(urls).toEqual([]);
  });

  it("is spoken where it is allowed and the server has no TLS, and TLS is tried once", async () => {
    await using server = await plain();
    const endpoint = endpointAt(server, { origin: `https://${server.host}`, plainHttp: true });
    await using http = openHttp({ settings: settingsWith(), systemBundles: none });
    for (let i = 0; i < 3; i += 1) {
      const answer = await http.request(endpoint, { method: "GET", url: new URL("/v2/?a=b", endpoint.origin) });
      expect([answer.url.href, await textOf(answer.body)]).toEqual([`http://${server.host}/v2/?a=b`, "plain"]);
    }
    expect(server.sockets.length).toBe(2);
  });

  it("is not spoken to other hosts than the endpoint's own", async () => {
    await using registry = await plain();
    await using other = await plain();
    const endpoint = endpointAt(registry, { origin: `https://${registry.host}`, plainHttp: true });
    await using http = openHttp({ settings: settingsWith(), systemBundles: none });
    const error = await failureOf(http.request(endpoint, { method: "GET", url: new URL(`https://${other.host}/`) }));
    expect(error).toMatchObject({ code: "REGISTRY_TLS" });
  });

  it("failing too, the failure of TLS is told", async () => {
    const server = await plain();
    await server[Symbol.asyncDispose]();
    const error = await failureOf(ask(server, settingsWith(), { plainHttp: true }));
    expect(error).toMatchObject({ code: "REGISTRY_UNREACHABLE", message: `${server.host}: the connection is refused (ECONNREFUSED)` });
  });
});

/** OpenSSL's own server: Node's closes the connection without an alert. */
async function insistingServer(
  directory: string,
  { certFile, keyFile }: { certFile: string; keyFile: string },
): Promise<{ readonly host: string } & AsyncDisposable> {
  const args = ["s_server", "-accept", "127.0.0.1:0", "-cert", certFile, "-key", keyFile, "-Verify", "1", "-verify_return_error", "-www"];
  const child = spawn("openssl", args, { cwd: directory, stdio: ["ignore", "pipe", "ignore"] });
  const ended = once(child, "close");
  let printed = "";
  for await (const chunk of child.stdout) {
    printed += String(chunk);
    if (/^ACCEPT .*:\d+\s/m.test(printed)) break;
  }
  const port = /^ACCEPT .*:(\d+)\s/m.exec(printed)?.[1] ?? "";
  return {
    host: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

function readText(file: string): Promise<string> {
  return readFile(file, "utf8");
}
