import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { TsbuildError } from "../../../store/errors.ts";
import { type Http, type HttpRequest, openHttp } from "../../../store/registry/http.ts";
import { type ProxyVariables, proxyFor } from "../../../store/registry/proxy.ts";
import { needs } from "../../support/needs.ts";
import { privateAuthority } from "../../support/registry/private-ca.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { endpointAt, failureOf, type LocalServer, serve, serveTls, settingsWith, textOf } from "./http-fixtures.ts";

describe("the proxy for a URL", () => {
  const both = { http_proxy: "http://one:3128", HTTPS_PROXY: "https://two" };

  it.each<[url: string, variables: ProxyVariables, proxy: string | undefined]>([
    ["http://host/", {}, undefined],
    ["http://host/", both, "http://one:3128/"],
    ["https://host/", both, "https://two/"],
    ["http://host/", { HTTP_PROXY: "upper:1" }, "http://upper:1/"],
    ["http://host/", { HTTP_PROXY: "upper:1", http_proxy: "lower:1" }, "http://lower:1/"],
    ["http://host/", { HTTP_PROXY: "upper:1", http_proxy: "" }, undefined],
    ["https://host/", { all_proxy: "all:1" }, "http://all:1/"],
    ["https://host/", { all_proxy: "all:1", https_proxy: "own:1" }, "http://own:1/"],
    ["https://host/", { http_proxy: "one:1" }, undefined],
    ["http://localhost:5000/", both, undefined],
    ["http://127.0.0.2/", both, undefined],
    ["http://[::1]:5000/", both, undefined],
    ["http://host/", { ...both, NO_PROXY: "*" }, undefined],
    ["http://host.example/", { ...both, no_proxy: "other, .example" }, undefined],
    ["http://host.example/", { ...both, no_proxy: "EXAMPLE" }, undefined],
    ["http://host.example/", { ...both, no_proxy: "*.example" }, undefined],
    ["http://host.example./", { ...both, no_proxy: "host.example" }, undefined],
    ["http://badexample/", { ...both, no_proxy: "example" }, "http://one:3128/"],
    ["http://host.example/", { ...both, no_proxy: "host.example:8080" }, "http://one:3128/"],
    ["http://host.example:8080/", { ...both, no_proxy: "host.example:8080" }, undefined],
    ["https://host.example/", { ...both, no_proxy: "host.example:443" }, undefined],
    ["http://10.1.2.3/", { ...both, no_proxy: "10.0.0.0/8" }, undefined],
    ["http://11.1.2.3/", { ...both, no_proxy: "10.0.0.0/8" }, "http://one:3128/"],
    ["http://10.1.2.3:5000/", { ...both, no_proxy: "10.1.2.3" }, undefined],
    ["http://10.1.2.3/", { ...both, no_proxy: "10.0.0.0/33 ,10.0.0.0/x, 2.3" }, "http://one:3128/"],
    ["http://[fd00::12]/", { ...both, no_proxy: "fd00::/8" }, undefined],
    ["http://[fd00::12]:5000/", { ...both, no_proxy: "[fd00:0:0::12]:5000" }, undefined],
    ["http://[fd00::12]/", { ...both, no_proxy: "[fd00::12]:5000" }, "http://one:3128/"],
    ["http://[fe00::12]/", { ...both, no_proxy: "fd00::/8,10.0.0.0/8" }, "http://one:3128/"],
  ])("%s with %j is %s", (url, variables, proxy) => {
    expect(proxyFor(new URL(url), variables)?.href).toBe(proxy);
  });

  it.each([
    ["socks5://user:secret@host:1", 'proxies of the kind "socks5:" are not supported'],
    ["http://user:secret@[", "it is no URL"],
    ["http://user:50%secret@host", 'a "%" in its name or password is not written as "%25"'],
  ])("%s is refused, and not repeated", async (value, why) => {
    await using http = openHttp({ settings: settingsWith(), proxy: { HTTPS_PROXY: value } });
    const endpoint = endpointAt({ host: "host" }, { origin: "https://host" });
    const error = await failureOf(http.request(endpoint, { method: "GET", url: new URL("https://host/") }));
    expect(error).toBeInstanceOf(TsbuildError);
    expect(error).toMatchObject({ code: "INVALID_PROXY", message: `reading HTTPS_PROXY: ${why}` });
  });
});

/** A proxy that writes down what it is asked for, and sends everything to `target`, whatever host was named. */
async function proxyTo(target: LocalServer, answer = "HTTP/1.1 200 Connection established\r\n\r\n") {
  const asked: string[] = [];
  const proxy = await serve((request, response) => {
    asked.push(`${request.method} ${request.url} as ${request.headers["proxy-authorization"]}, ${request.headers.authorization}`);
    response.end("forwarded");
  });
  proxy.server.on("connect", (request, socket) => {
    asked.push(`CONNECT ${request.url} as ${request.headers["proxy-authorization"]}, ${request.headers.authorization}`);
    socket.write(answer);
    if (!answer.includes(" 200 ")) return void socket.end();
    const onward = connect(target.port, "127.0.0.1");
    onward.on("error", () => undefined).on("close", () => socket.destroy());
    socket.on("error", () => undefined).on("close", () => onward.destroy());
    socket.pipe(onward).pipe(socket);
  });
  return { ...proxy, asked, [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose]() };
}

const authorised: Pick<HttpRequest, "method" | "headers"> = { method: "GET", headers: { authorization: "Bearer t" } };

async function ask(http: Http, origin: string): Promise<string> {
  const endpoint = endpointAt({ host: new URL(origin).host }, { origin, insecure: true });
  return textOf((await http.request(endpoint, { ...authorised, url: new URL("/v2/?q", origin) })).body);
}

describe("a request through a proxy", () => {
  it("of plain http names the whole URL", async () => {
    await using target = await serve((_request, response) => void response.end());
    await using proxy = await proxyTo(target);
    await using http = openHttp({ settings: settingsWith(), proxy: { http_proxy: `http://us%40er:p%3Aw@${proxy.host}` } });
    expect(await ask(http, "http://registry.example:5000")).toBe("forwarded");
    const basic = `Basic ${Buffer.from("us@er:p:w").toString("base64")}`;
    expect(proxy.asked).toEqual([`GET http://registry.example:5000/v2/?q as ${basic}, Bearer t`]);
  });

  it.each([
    ["no room left", "HTTP/1.1 503 Service Unavailable\r\n\r\n", "answers 503", true, undefined],
    ["a password wanted", "HTTP/1.1 407 Who\r\n\r\n", "answers 407", false, "http://USER:PASSWORD@HOST:PORT in HTTPS_PROXY"],
    ["something that is not HTTP", "220 ready\r\n\r\n", "answers with something that is not HTTP", false, undefined],
  ])("that it refuses with %s is told without the proxy's password", async (_name, answer, problem, retryable, hint) => {
    await using target = await serve(() => undefined);
    await using proxy = await proxyTo(target, answer);
    await using http = openHttp({ settings: settingsWith(), proxy: { https_proxy: `http://user:secret@${proxy.host}` } });
    const error = await failureOf(ask(http, "https://registry.example"));
    expect(error).toMatchObject({
      code: "REGISTRY_UNREACHABLE",
      retryable,
      message: `the proxy ${proxy.host}, asked for a tunnel to registry.example:443, ${problem}`,
    });
    expect((error as TsbuildError).hint ?? "").toContain(hint ?? "");
  });

  it("that is not there is told with its name", async () => {
    const proxy = await serve(() => undefined);
    await proxy[Symbol.asyncDispose]();
    await using http = openHttp({ settings: settingsWith(), proxy: { https_proxy: proxy.host } });
    expect(await failureOf(ask(http, "https://registry.example"))).toMatchObject({
      message: `registry.example through the proxy ${proxy.host}: the connection is refused (ECONNREFUSED)`,
    });
  });
});

describe("a request of https through a proxy", needs("openssl"), () => {
  const secureServer = async (name: string) => {
    const { cert, key } = privateAuthority(temporaryDirectory("proxy")).issue(name, `DNS:${name}`);
    return serveTls({ cert, key }, (request, response) => response.end(`${request.url} ${request.headers.authorization}`));
  };

  it("goes through a tunnel, in which the proxy sees nothing of it", async () => {
    await using target = await secureServer("registry.example");
    await using proxy = await proxyTo(target);
    await using http = openHttp({ settings: settingsWith(), proxy: { https_proxy: `http://user:word@${proxy.host}` } });
    expect(await ask(http, "https://registry.example")).toBe("/v2/?q Bearer t");
    expect(await ask(http, "https://registry.example")).toBe("/v2/?q Bearer t");
    expect(proxy.asked).toEqual([`CONNECT registry.example:443 as Basic ${Buffer.from("user:word").toString("base64")}, undefined`]);
  });
});
