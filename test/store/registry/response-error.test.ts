import { describe, expect, it } from "vitest";
import type { HttpResponse } from "../../../store/registry/http.ts";
import type { RegistryError } from "../../../store/registry/registry-error.ts";
import { responseError, retryAfter } from "../../../store/registry/response-error.ts";

function answer(
  status: number,
  body: string | (() => AsyncIterable<Uint8Array>) = "",
  headers: Readonly<Record<string, string>> = {},
): HttpResponse {
  const bytes =
    typeof body === "string"
      ? (async function* () {
          yield Buffer.from(body);
        })()
      : body();
  return {
    status,
    url: new URL("https://host:5000/v2/app/blobs/sha256:00?token=secret"),
    header: (name) => headers[name],
    headers: (name) => (headers[name] === undefined ? [] : [headers[name]]),
    body: bytes,
    discard: async () => undefined,
  };
}

const errorOf = (response: HttpResponse): Promise<RegistryError> => responseError(response, { registry: "host:5000", now: () => 0 });

describe("a status", () => {
  it.each([
    [301, "REGISTRY_PROTOCOL", false, "301"],
    [200, "REGISTRY_PROTOCOL", false, "200"],
    [400, "REGISTRY_FAILED", false, "400 bad request"],
    [401, "REGISTRY_DENIED", false, "401 unauthorized"],
    [403, "REGISTRY_DENIED", false, "403 forbidden"],
    [404, "REGISTRY_NOT_FOUND", false, "404 not found"],
    [405, "REGISTRY_FAILED", false, "405 method not allowed"],
    [407, "REGISTRY_UNREACHABLE", false, "407 proxy authentication required"],
    [408, "REGISTRY_FAILED", true, "408 request timeout"],
    [410, "REGISTRY_NOT_FOUND", false, "410"],
    [413, "REGISTRY_FAILED", false, "413 content too large"],
    [416, "REGISTRY_FAILED", false, "416 range not satisfiable"],
    [425, "REGISTRY_FAILED", true, "425"],
    [429, "REGISTRY_RATE_LIMITED", true, "429 too many requests"],
    [500, "REGISTRY_FAILED", true, "500 internal server error"],
    [501, "REGISTRY_FAILED", false, "501 not implemented"],
    [502, "REGISTRY_FAILED", true, "502 bad gateway"],
    [503, "REGISTRY_FAILED", true, "503 service unavailable"],
    [504, "REGISTRY_FAILED", true, "504 gateway timeout"],
    [507, "REGISTRY_FAILED", false, "507"],
    [522, "REGISTRY_FAILED", true, "522"],
  ])("%i is %s, passing: %s", async (status, code, retryable, text) => {
    expect(await errorOf(answer(status))).toMatchObject({ code, retryable, status, message: `host:5000 answers ${text}` });
  });

  it.each([
    [401, undefined],
    [403, undefined],
    [413, "the registry, or a proxy in front of it, takes no body of this size"],
    [404, "check the name and the tag; some registries answer so too when a login is wanted"],
    [405, undefined],
  ])("%i has a hint", async (status, hint) => {
    expect((await errorOf(answer(status))).hint).toBe(hint);
  });

  it("429 of Docker Hub's pull limit says how to raise it", async () => {
    const message = "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit";
    const error = await errorOf(answer(429, JSON.stringify({ errors: [{ code: "TOOMANYREQUESTS", message }] })));
    expect(error).toMatchObject({
      code: "REGISTRY_RATE_LIMITED",
      message: `host:5000 answers 429 too many requests: ${message} [TOOMANYREQUESTS]`,
      hint: "logged in, more pulls are allowed: tsbuild login host:5000; or pull through a mirror",
    });
  });
});

describe("the registry's own words", () => {
  it.each<[name: string, body: string, headers: Readonly<Record<string, string>>, message: string]>([
    [
      "as the distribution spec has them",
      '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"x"}},{"code":"NAME_UNKNOWN"}]}',
      {},
      ": manifest unknown [MANIFEST_UNKNOWN]; [NAME_UNKNOWN]",
    ],
    ["of JFrog", '{"errors":[{"status":404,"message":"no such repo"}]}', {}, ": no such repo"],
    ["of Docker Hub", '{"detail":"Incorrect authentication credentials"}', {}, ": Incorrect authentication credentials"],
    ["of Docker Hub, the other form", '{"message":"too fast"}', {}, ": too fast"],
    ["of a token server", '{"details":"incorrect username or password"}', {}, ": incorrect username or password"],
    ["of an OAuth2 server", '{"error":"invalid_grant","error_description":"expired"}', {}, ": expired [invalid_grant]"],
    ["as a line of text", "Too Many Requests\n", { "content-type": "text/plain; charset=utf-8" }, ": Too Many Requests"],
    ["not those of a page", "<html><body>502</body></html>", { "content-type": "text/html" }, ""],
    ["not text of several lines", "a\nb", { "content-type": "text/plain" }, ""],
    ["not what is no diagnostic", '{"errors":"x"}', {}, ""],
    ["not JSON that is no object", "[1]", {}, ""],
    ["not broken JSON", '{"errors":[', {}, ""],
    ["no more than five", JSON.stringify({ errors: Array(9).fill({ code: "A" }) }), {}, ": [A]; [A]; [A]; [A]; [A]"],
    ["attack: without control characters", '{"message":"a\\u001b[31m\\nb\\u0000\\u2028c"}', {}, ": a [31m b c"],
    ["attack: not without end", JSON.stringify({ message: "x".repeat(60_000) }), {}, `: ${"x".repeat(400)}`],
    [
      "attack: without what signed URLs carry",
      JSON.stringify({ message: "see https://u:pw@s3.example/x?X-Amz-Signature=abc#f, or https://plain.example/y" }),
      {},
      ": see https://s3.example/x or https://plain.example/y",
    ],
    [
      "attack: without a long user part that the cut would end",
      JSON.stringify({ message: `see https://oauth2:${"secret".repeat(300)}@s3.example/x` }),
      {},
      ": see https://s3.example/x",
    ],
  ])("%s", async (_name, body, headers, message) => {
    expect((await errorOf(answer(400, body, headers))).message).toBe(`host:5000 answers 400 bad request${message}`);
  });

  it("are kept as diagnostics", async () => {
    const error = await errorOf(answer(400, '{"errors":[{"code":"DIGEST_INVALID","message":"no"}]}'));
    expect(error.diagnostics).toEqual([{ code: "DIGEST_INVALID", message: "no" }]);
  });

  it("attack: a body without end is read no further than diagnostics may be long", async () => {
    let readBytes = 0;
    let left = false;
    async function* forever() {
      try {
        for (;;) {
          readBytes += 1024;
          yield new Uint8Array(1024).fill(32);
        }
      } finally {
        left = true;
      }
    }
    expect((await errorOf(answer(500, forever))).message).toBe("host:5000 answers 500 internal server error");
    expect([readBytes <= 66 * 1024, left]).toEqual([true, true]);
  });

  it.each([["a."], ["://"], ["a://a"], ["a@"]])("attack: %s without end is searched in no time", async (part) => {
    const started = performance.now();
    await errorOf(answer(400, JSON.stringify({ message: part.repeat(60_000 / part.length) })));
    expect(performance.now() - started).toBeLessThan(500);
  });

  it("that cannot be read are none", async () => {
    async function* broken() {
      yield Buffer.from('{"message":');
      throw new Error("reset");
    }
    expect((await errorOf(answer(503, broken))).message).toBe("host:5000 answers 503 service unavailable");
  });

  it("are not waited for by who was cancelled", async () => {
    const cancel = new AbortController();
    async function* cancelled() {
      yield Buffer.from("x");
      cancel.abort(new Error("enough"));
      throw cancel.signal.reason;
    }
    await expect(responseError(answer(503, cancelled), { registry: "host" }, cancel.signal)).rejects.toThrow("enough");
  });
});

describe("Retry-After", () => {
  it.each<[value: string | undefined, ms: number | undefined]>([
    [undefined, undefined],
    ["0", 0],
    ["120", 120_000],
    ["Thu, 01 Jan 1970 00:01:30 GMT", 60_000],
    ["Thu, 01 Jan 1970 00:00:00 GMT", 0],
    ["soon", undefined],
    ["-5", undefined],
    ["1.5", undefined],
    ["", undefined],
  ])("%s is %s ms", (value, ms) => {
    expect(retryAfter(value, () => 30_000)).toBe(ms);
  });

  it("is kept for what passes alone", async () => {
    expect((await errorOf(answer(503, "", { "retry-after": "7" }))).retryAfterMs).toBe(7000);
    expect((await errorOf(answer(404, "", { "retry-after": "7" }))).retryAfterMs).toBeUndefined();
  });
});
