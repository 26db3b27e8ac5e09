import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { HttpSource } from "../../../builder/plan/operation.ts";
import { digestOf } from "../../../store/digest.ts";
import { TsbuildError } from "../../../store/errors.ts";
import { type HttpFiles, startHttpFiles } from "../../support/http-files.ts";
import { sampleBytes } from "../../support/sample-bytes.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { failureOf } from "./listing.ts";
import { testSources } from "./sources.ts";

let web: HttpFiles;

beforeEach(async () => {
  web = await startHttpFiles();
});

afterEach(() => web.close());

function source(path: string, rest: Partial<HttpSource> = {}): HttpSource {
  return { kind: "http", url: web.url(path), name: "f", ...rest };
}

const lastModified = "Tue, 14 Nov 2023 22:13:20 GMT";

describe("a download", () => {
  it("is a file of the store, with its digest, size and the server's date", async () => {
    web.serve("/f", { body: "hello", lastModified });
    await using test = await testSources();
    const file = await test.sources.http(source("/f"));
    expect(file).toEqual({
      digest: digestOf("hello"),
      size: 5,
      path: expect.stringContaining(test.store.root),
      lastModified: 1_700_000_000,
    });
    expect(readFileSync(file.path, "utf8")).toBe("hello");
    expect(test.heard).toEqual([`${web.url("/f")} ${digestOf("hello")}`]);
    expect(web.lastHeaders()).toMatchObject({ "accept-encoding": "identity", "user-agent": "tsbuild" });
    expect(web.lastHeaders().authorization).toBeUndefined();
  });

  it.each<[name: string, value: string, expected: number | undefined]>([
    ["the form of today", lastModified, 1_700_000_000],
    ["the form with dashes", "Tuesday, 14-Nov-23 22:13:20 GMT", 1_700_000_000],
    ["the form of C", "Tue Nov 14 22:13:20 2023", 1_700_000_000],
    ["the form of C with one digit", "Wed Nov  1 00:00:00 2023", 1_698_796_800],
    ["a date before the epoch", "Wed, 31 Dec 1969 23:59:59 GMT", undefined],
    ["a date of no form of HTTP", "2023-11-14T22:13:20Z", undefined],
    ["no date", "yesterday", undefined],
  ])("has the date of %s", async (_name, value, expected) => {
    web.serve("/f", { body: "x", lastModified: value });
    await using test = await testSources();
    expect((await test.sources.http(source("/f"))).lastModified).toBe(expected);
  });

  it.each<[name: string, file: Parameters<HttpFiles["serve"]>[1], body: string | Uint8Array]>([
    ["is empty", "", ""],
    ["comes in chunks", { body: "chunks", chunked: true }, "chunks"],
    ["comes with a length of three digits", "x".repeat(300), "x".repeat(300)],
    ["stays compressed, whatever the server calls it", { body: gzipSync("x"), headers: { "content-encoding": "gzip" } }, gzipSync("x")],
    ["comes with another good status", { body: "x", status: 203 }, "x"],
  ])("%s", async (_name, file, body) => {
    web.serve("/f", file);
    await using test = await testSources();
    expect(readFileSync((await test.sources.http(source("/f"))).path)).toEqual(Buffer.from(body));
  });

  it("happens once, however often it is asked for", async () => {
    web.serve("/f", "hello");
    await using test = await testSources();
    const files = await Promise.all([0, 1, 2].map(() => test.sources.http(source("/f"))));
    expect(new Set(files.map(({ path }) => path)).size).toBe(1);
    expect(web.requests).toEqual(["GET /f"]);
    expect(test.heard.length).toBe(1);
  });

  it("keeps the query, and needs it", async () => {
    web.serve("/f?a=1", "one");
    await using test = await testSources();
    expect((await test.sources.http(source("/f?a=1"))).digest).toBe(digestOf("one"));
    expect(await failureOf(test.sources.http(source("/f?SECRET")))).toBe(
      `FETCH_FAILED: downloading ${web.url("/f")}: ${web.host} answers 404 not found`,
    );
  });
});

describe("a later build", () => {
  const again = async (root: string, rest: Partial<HttpSource> = {}) => {
    await using test = await testSources({ root });
    return await test.sources.http(source("/f", rest));
  };

  it.each<[name: string, file: Exclude<Parameters<HttpFiles["serve"]>[1], string>, requests: readonly string[]]>([
    ["asks by ETag", { etag: '"x"' }, ["GET /f", 'GET /f if-none-match="x"']],
    ["asks by a weak ETag", { etag: 'W/"x"' }, ["GET /f", 'GET /f if-none-match=W/"x"']],
    ["asks by date", { lastModified }, ["GET /f", `GET /f if-modified-since=${lastModified}`]],
    ["asks by both", { etag: '"x"', lastModified }, ["GET /f", `GET /f if-none-match="x" if-modified-since=${lastModified}`]],
    ["asks for all of it where the server says nothing", {}, ["GET /f", "GET /f"]],
    ["believes the ETag of a server that sends all of it", { etag: '"x"', conditional: false }, ["GET /f", 'GET /f if-none-match="x"']],
  ])("%s", async (_name, file, requests) => {
    web.serve("/f", { body: "hello", ...file });
    const root = temporaryDirectory();
    const first = await again(root);
    const second = await again(root);
    expect(second).toEqual(first);
    expect(web.requests).toEqual(requests);
  });

  it("finds what has changed", async () => {
    const root = temporaryDirectory();
    web.serve("/f", { body: "one", etag: '"1"' });
    await again(root);
    web.serve("/f", { body: "two", etag: '"2"', lastModified });
    const file = await again(root);
    expect([file.digest, file.lastModified]).toEqual([digestOf("two"), 1_700_000_000]);
    expect(readFileSync(file.path, "utf8")).toBe("two");
  });

  it("asks nobody where the checksum says what is here", async () => {
    const root = temporaryDirectory();
    web.serve("/f", { body: "hello", lastModified });
    const first = await again(root);
    expect(await again(root, { checksum: digestOf("hello") })).toEqual(first);
    expect(web.requests).toEqual(["GET /f"]);
  });

  it("asks where the checksum is another's", async () => {
    const root = temporaryDirectory();
    web.serve("/f", { body: "one", etag: '"1"' });
    await again(root);
    web.serve("/f", { body: "two", etag: '"2"' });
    expect((await again(root, { checksum: digestOf("two") })).digest).toBe(digestOf("two"));
  });

  it("asks without conditions for what the checksum says, whatever the server said of another version", async () => {
    const root = temporaryDirectory();
    web.serve("/f", { body: "bad", etag: '"always"', lastModified });
    await again(root);
    web.serve("/f", { body: "good", etag: '"always"', lastModified });
    expect((await again(root)).digest).toBe(digestOf("bad"));
    expect((await again(root, { checksum: digestOf("good") })).digest).toBe(digestOf("good"));
    expect(web.requests.at(-1)).toBe("GET /f");
  });

  it("asks once more without conditions where the lock knows another version than the server says is still the one", async () => {
    const root = temporaryDirectory();
    web.serve("/f", { body: "bad", etag: '"always"' });
    await again(root);
    web.serve("/f", { body: "good", etag: '"always"' });
    const drift = (digest: string) => {
      if (digest !== digestOf("good")) throw new TsbuildError("LOCK_DRIFT", digest);
    };
    const locked = { http: (_url: string, digest: string) => drift(digest), git: () => undefined };
    {
      await using test = await testSources({ root, onResolved: locked });
      expect((await test.sources.http(source("/f"))).digest).toBe(digestOf("good"));
    }
    expect(web.requests).toEqual(["GET /f", 'GET /f if-none-match="always"', "GET /f"]);
    web.serve("/f", { body: "worse", etag: '"new"' });
    await using test = await testSources({ root, onResolved: locked });
    expect(await failureOf(test.sources.http(source("/f")))).toBe(`LOCK_DRIFT: ${digestOf("worse")}`);
    expect(web.requests.slice(3)).toEqual(['GET /f if-none-match="always"']);
  });

  it.each<[name: string, rest: Partial<HttpSource>, requests: readonly string[]]>([
    ["that the checksum relies on", { checksum: digestOf("hello") }, ["GET /f", "GET /f"]],
    ["that the server's word relies on", {}, ["GET /f", 'GET /f if-none-match="x"', "GET /f"]],
  ])("downloads anew what has been damaged, %s", async (_name, rest, requests) => {
    const root = temporaryDirectory();
    web.serve("/f", { body: "hello", etag: '"x"' });
    const { path } = await again(root);
    writeFileSync(path, "hullo");
    const file = await again(root, rest);
    expect([file.digest, readFileSync(file.path, "utf8")]).toEqual([digestOf("hello"), "hello"]);
    expect(web.requests).toEqual(requests);
  });

  it("downloads anew what is gone, or not whole", async () => {
    const root = temporaryDirectory();
    web.serve("/f", { body: "hello", etag: '"x"' });
    const { path } = await again(root);
    writeFileSync(path, "hel");
    expect(readFileSync((await again(root)).path, "utf8")).toBe("hello");
    rmSync(path);
    expect(readFileSync((await again(root)).path, "utf8")).toBe("hello");
    expect(web.requests).toEqual(["GET /f", "GET /f", "GET /f"]);
  });

  it("takes a torn record for none", async () => {
    const root = temporaryDirectory();
    web.serve("/f", { body: "hello", etag: '"x"' });
    await again(root);
    const urls = join(root, "v1/downloads/urls");
    for (const path of readdirSync(urls, { recursive: true, encoding: "utf8" })) {
      if (path.includes("/")) writeFileSync(join(urls, path), '{"digest":"sha');
    }
    expect((await again(root)).digest).toBe(digestOf("hello"));
    expect(web.requests).toEqual(["GET /f", "GET /f"]);
  });

  it("finds no URL in the store's files", async () => {
    const root = temporaryDirectory();
    web.serve("/f?SECRET", { body: "hello", etag: '"x"' });
    await using test = await testSources({ root });
    await test.sources.http(source("/f?SECRET"));
    const urls = join(root, "v1/downloads/urls");
    const texts = readdirSync(urls, { recursive: true, encoding: "utf8" }).flatMap((path) =>
      path.includes("/") ? [path, readFileSync(join(urls, path), "utf8")] : [path],
    );
    expect(texts.join()).not.toContain("SECRET");
  });
});

describe("a checksum", () => {
  it("that does not fit is an error with both digests", async () => {
    web.serve("/f", "hello");
    await using test = await testSources();
    const checksum = digestOf("other");
    expect(await failureOf(test.sources.http(source("/f", { checksum })))).toBe(
      `CHECKSUM_MISMATCH: downloading ${web.url("/f")}: expected ${checksum}, got ${digestOf("hello")}`,
    );
  });
});

describe("a bad network", () => {
  const body = Buffer.from(sampleBytes(500_000));

  it.each<[name: string, file: Exclude<Parameters<HttpFiles["serve"]>[1], string>, requests: readonly string[]]>([
    [
      "goes on where it broke, by a strong ETag",
      { etag: '"x"', cuts: [100_000, 200_000] },
      ["GET /f", 'GET /f range=bytes=N- if-range="x"', 'GET /f range=bytes=N- if-range="x"'],
    ],
    ["goes on where it broke, by date", { lastModified, cuts: [100_000] }, ["GET /f", `GET /f range=bytes=N- if-range=${lastModified}`]],
    ["begins anew after a weak ETag", { etag: 'W/"x"', cuts: [100_000] }, ["GET /f", "GET /f"]],
    ["begins anew without either", { cuts: [100_000] }, ["GET /f", "GET /f"]],
    [
      "begins anew where the server knows no parts",
      { etag: '"x"', ranges: false, cuts: [100_000] },
      ["GET /f", 'GET /f range=bytes=N- if-range="x"'],
    ],
    ["begins anew where nothing had come", { etag: '"x"', cuts: [0] }, ["GET /f", "GET /f"]],
    ["is asked again after a passing failure", { failures: [503, 429, 500] }, ["GET /f", "GET /f", "GET /f", "GET /f"]],
  ])("%s", async (_name, file, requests) => {
    web.serve("/f", { body, ...file });
    await using test = await testSources();
    const fetched = await test.sources.http(source("/f"));
    expect(fetched.digest).toBe(digestOf(body));
    expect(readFileSync(fetched.path).equals(body)).toBe(true);
    expect(web.requests.map((line) => line.replace(/bytes=\d+/, "bytes=N"))).toEqual(requests);
    expect(test.heard.length).toBe(requests.length);
    expect(test.heard[0]).toMatch(new RegExp(`^downloading ${web.url("/f")}: .*; next try in 0.0 s$`));
  });

  it("begins anew with another version, and takes no byte of the first", async () => {
    web.serve("/f", { body: "a".repeat(200_000), etag: '"a"', cuts: [100_000] });
    await using test = await testSources({
      onNote: () => web.serve("/f", { body: "b".repeat(150_000), etag: '"b"' }),
    });
    expect((await test.sources.http(source("/f"))).digest).toBe(digestOf("b".repeat(150_000)));
  });

  it("is given up after the tries that are allowed, and leaves nothing", async () => {
    web.serve("/f", { failures: [503, 503, 503] });
    await using test = await testSources({ settings: { attempts: 2 } });
    const failure = failureOf(test.sources.http(source("/f")));
    expect(await failure).toBe(`FETCH_FAILED: downloading ${web.url("/f")}: ${web.host} answers 503 service unavailable (2 tries)`);
    expect(existsSync(join(test.store.root, "v1/downloads"))).toBe(false);
  });

  it("of a server that says nothing is given up in time", async () => {
    web.serve("/f", { silent: true });
    await using test = await testSources({ settings: { attempts: 1, stallTimeoutMs: 100 } });
    expect(await failureOf(test.sources.http(source("/f")))).toBe(
      `FETCH_FAILED: downloading ${web.url("/f")}: ${web.host}: no answer in time`,
    );
  });

  it("is left when the caller has enough", async () => {
    web.serve("/f", { silent: true });
    const leaving = new AbortController();
    const reason = new Error("enough");
    await using test = await testSources({ signal: leaving.signal });
    const failure = expect(test.sources.http(source("/f"))).rejects.toBe(reason);
    await web.arrived(1);
    leaving.abort(reason);
    await failure;
  });
});

describe("redirects", () => {
  it("are followed, to other hosts too", async () => {
    const other = await startHttpFiles();
    try {
      other.serve("/g?x=1", "there");
      web.serve("/f", { location: "/h", status: 301 });
      web.serve("/h", { location: other.url("/g?x=1"), status: 307 });
      await using test = await testSources();
      expect((await test.sources.http(source("/f"))).digest).toBe(digestOf("there"));
      expect(other.lastHeaders().referer).toBeUndefined();
    } finally {
      await other.close();
    }
  });

  it.each<[name: string, location: string, problem: string]>([
    ["to no URL", "http://", "a redirect whose Location is no URL"],
    ["to a file of the host", "file:///etc/passwd", "a redirect to what is no http"],
    ["in a circle", "/f", "more than 10 redirects, the last from"],
  ])("%s are refused", async (_name, location, problem) => {
    web.serve("/f", { location });
    await using test = await testSources();
    expect(await failureOf(test.sources.http(source("/f")))).toContain(problem);
  });

  it("without a place are refused", async () => {
    web.serve("/f", { status: 302, body: "" });
    await using test = await testSources();
    expect(await failureOf(test.sources.http(source("/f")))).toBe(
      `FETCH_FAILED: downloading ${web.url("/f")}: ${web.host} answers 302, a redirect without Location`,
    );
  });
});

describe("a hostile server", () => {
  it("that sends more than is allowed is left, whether it says so or not", async () => {
    web.serve("/told", "x".repeat(2000));
    web.serve("/untold", { body: "x".repeat(2000), chunked: true });
    await using test = await testSources({ settings: { maxDownloadBytes: 1000 } });
    for (const path of ["/told", "/untold"]) {
      expect(await failureOf(test.sources.http(source(path)))).toBe(
        `TOO_LARGE: downloading ${web.url(path)}: ${web.host} sends 2000 bytes or more, more than the 1000 allowed`,
      );
    }
    expect(existsSync(join(test.store.root, "v1/downloads"))).toBe(false);
  });

  it.each<[name: string, length: string, problem: string]>([
    ["more than any disk has", `${2 ** 50}`, `STORE_FULL: downloading URL: HOST sends a file: ${2 ** 50} bytes, and the file system`],
    [
      "more than is allowed",
      `${2 ** 62}`,
      `TOO_LARGE: downloading URL: HOST sends ${2 ** 62} bytes or more, more than the ${2 ** 60} allowed`,
    ],
    ["more than is exact", "18446744073709551615", "TOO_LARGE: downloading URL: HOST sends 18446744073709552000 bytes or more"],
    ["more than a number holds", "99999999999999999999999", "FETCH_FAILED: downloading URL: HOST: what it answers is not HTTP"],
  ])("that says it sends %s is left at once, for good", async (_name, length, problem) => {
    web.serve("/f", { body: "x", headers: { "content-length": length }, cuts: [1] });
    await using test = await testSources({ settings: { maxDownloadBytes: 2 ** 60 } });
    const failure = await failureOf(test.sources.http(source("/f")));
    expect(failure.replace(web.url("/f"), "URL").replace(web.host, "HOST").startsWith(problem), failure).toBe(true);
    expect(web.requests).toEqual(["GET /f"]);
  });

  it("that sends a part that nobody asked for is not believed", async () => {
    web.serve("/f", { body: "part", status: 206, headers: { "content-range": "bytes 0-3/10" } });
    await using test = await testSources();
    expect(await failureOf(test.sources.http(source("/f")))).toBe(
      `FETCH_FAILED: downloading ${web.url("/f")}: ${web.host} answers with a part that nobody asked for`,
    );
  });

  it("that answers 304 to nothing is not believed", async () => {
    web.serve("/f", { status: 304, body: "" });
    await using test = await testSources();
    expect(await failureOf(test.sources.http(source("/f")))).toBe(
      `FETCH_FAILED: downloading ${web.url("/f")}: ${web.host} answers 304 not modified`,
    );
  });

  it("whose words are in an answer cannot act on a terminal", async () => {
    web.serve("/f", { status: 403, body: "\x1b[2J" });
    await using test = await testSources();
    expect(await failureOf(test.sources.http(source("/f")))).toBe(
      `FETCH_FAILED: downloading ${web.url("/f")}: ${web.host} answers 403 forbidden`,
    );
  });

  it("behind a proxy gets the proxy's word for it", async () => {
    web.serve("http://example.invalid/f", "by proxy");
    await using test = await testSources({ proxy: { http_proxy: `http://${web.host}` } });
    expect((await test.sources.http({ kind: "http", url: "http://example.invalid/f", name: "f" })).digest).toBe(digestOf("by proxy"));
    expect(web.requests).toEqual(["GET http://example.invalid/f"]);
  });
});

describe("what the lock says", () => {
  it("goes to whoever asked", async () => {
    web.serve("/f", "hello");
    const refused = new Error("locked");
    await using test = await testSources({
      onResolved: {
        http: () => {
          throw refused;
        },
        git: () => undefined,
      },
    });
    await expect(test.sources.http(source("/f"))).rejects.toBe(refused);
  });
});
