import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { describe, expect, it } from "vitest";
import { digestOf } from "../../../store/digest.ts";
import { mediaTypes } from "../../../store/oci.ts";
import type { CredentialSource } from "../../../store/registry/credential.ts";
import type { UploadContent } from "../../../store/registry/repository.ts";
import { startCuttingLine } from "../../support/registry/cutting-line.ts";
import type { SeenRequest } from "../../support/registry/fake-exchange.ts";
import { type FakeRegistry, type FakeRegistryOptions, startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { contentOf, descriptorOf, failureOf, sampleBytes, testRepository } from "./test-repository.ts";

const mebibyte = 1024 * 1024;
const small = sampleBytes(100_000, "small");
const large = sampleBytes(9 * mebibyte, "large");
const descriptorOfLayer = (bytes: Buffer) => ({ ...descriptorOf(bytes), mediaType: mediaTypes.layerGzip });

type Intercept = NonNullable<FakeRegistryOptions["intercept"]>;
type Answer = (request: IncomingMessage, response: ServerResponse, seen: SeenRequest) => boolean;

const status =
  (code: number, headers: Record<string, string> = {}, body = ""): Answer =>
  (_request, response) => {
    response.writeHead(code, headers).end(body);
    return true;
  };

/** The registry does what it is asked, but its answer never arrives. */
const answerLost: Answer = (request, response) => {
  response.end = () => {
    request.socket.destroy();
    return response;
  };
  return false;
};

/** The first requests of these methods are answered so; undefined and all others: by the registry. */
function intercepting(answers: Readonly<Record<string, readonly (Answer | undefined)[]>>): Intercept {
  const counts = new Map<string, number>();
  return (seen, request, response) => {
    const count = counts.get(seen.method) ?? 0;
    counts.set(seen.method, count + 1);
    return answers[seen.method]?.[count]?.(request, response, seen) ?? false;
  };
}

/** Content whose first opening breaks the connection when the registry has so many bytes of it. */
function breakingContent(
  registry: () => FakeRegistry,
  sockets: () => IncomingMessage | undefined,
  bytes: Buffer,
  atBytes: number,
): UploadContent {
  let broken = false;
  return {
    async *open(offset) {
      for (let at = offset; at < bytes.length; at += 65_536) {
        if (!broken && at >= atBytes) {
          broken = true;
          while ((registry().requests.at(-1)?.bodyBytes ?? 0) < atBytes) await new Promise(setImmediate);
          sockets()?.socket.destroy();
        }
        yield bytes.subarray(at, at + 65_536);
      }
    },
  };
}

/** "PATCH 0-99 100": method, Content-Range and bytes of each request's body. */
function summary(registry: FakeRegistry): string[] {
  return registry.requests.map(({ method, headers, bodyBytes }) =>
    [method, headers["content-range"], bodyBytes > 0 ? bodyBytes : undefined].filter((part) => part !== undefined).join(" "),
  );
}

/** Pushes to "app" and expects the registry to be whole and tidy afterwards. */
async function pushed(options: FakeRegistryOptions, bytes: Buffer, content: UploadContent = contentOf(bytes)): Promise<string[]> {
  await using registry = await startFakeRegistry(options);
  await using test = testRepository(registry.host, "app");
  expect(await test.repository.upload(descriptorOfLayer(bytes), content)).toBe("uploaded");
  expect(digestOf(registry.content.repository("app").blobs.get(digestOf(bytes)) ?? "")).toBe(digestOf(bytes));
  expect(registry.content.uploads.size).toBe(0);
  return summary(registry);
}

describe("an upload", () => {
  it.each<[name: string, bytes: Buffer, requests: string[]]>([
    ["of nothing", Buffer.alloc(0), ["HEAD", "POST", "PUT"]],
    ["of a little in the closing PUT", small, ["HEAD", "POST", "PUT 100000"]],
    ["of much in one PATCH, as docker push does it", large, ["HEAD", "POST", `PATCH ${9 * mebibyte}`, "PUT"]],
  ])("%s", async (_name, bytes, requests) => {
    expect(await pushed({}, bytes)).toEqual(requests);
  });

  it.each<[locations: "relative" | "absolute" | "absolute-http"]>([["relative"], ["absolute"], ["absolute-http"]])(
    "follows %s Locations and keeps their query",
    async (locations) => {
      await pushed({ locations }, large);
    },
  );

  it.each<["plain" | "bytes" | "absent"]>([["plain"], ["bytes"], ["absent"]])("understands what is held, said %s", async (uploadRange) => {
    expect(await pushed({ uploadRange }, large)).toEqual(["HEAD", "POST", `PATCH ${9 * mebibyte}`, "PUT"]);
  });

  it("of what is there moves nothing", async () => {
    await using registry = await startFakeRegistry();
    registry.putBlob("app", small);
    await using test = testRepository(registry.host, "app");
    const content = contentOf(small);
    expect(await test.repository.upload(descriptorOfLayer(small), content, { mountFrom: ["other"] })).toBe("present");
    expect(await test.repository.hasBlob(descriptorOfLayer(small))).toBe(true);
    expect(await test.other("other").hasBlob(descriptorOfLayer(small))).toBe(false);
    expect(content.opened).toEqual([]);
    expect(summary(registry)).toEqual(["HEAD", "HEAD", "HEAD"]);
  });

  it("is not spared by a blob of another size", async () => {
    const headers = { "content-length": "7" };
    expect(await pushed({ intercept: intercepting({ HEAD: [status(200, headers)] }) }, small)).toEqual(["HEAD", "POST", "PUT 100000"]);
  });

  it.each([[400], [403], [405], [501]])("goes on when HEAD is refused with %i", async (code) => {
    expect(await pushed({ intercept: intercepting({ HEAD: [status(code)] }) }, small)).toEqual(["HEAD", "POST", "PUT 100000"]);
  });

  it("says how far it is, and at the end that it is there", async () => {
    await using registry = await startFakeRegistry();
    await using test = testRepository(registry.host, "app");
    const done: number[] = [];
    await test.repository.upload(descriptorOfLayer(large), contentOf(large), { onProgress: (bytes) => done.push(bytes) });
    expect(done.at(-1)).toBe(large.length);
    expect(done).toEqual(done.toSorted((a, b) => a - b));
  });

  it("without a Location is an error", async () => {
    await using registry = await startFakeRegistry({ intercept: intercepting({ POST: [status(202)] }) });
    await using test = testRepository(registry.host, "app");
    expect(await failureOf(test.repository.upload(descriptorOfLayer(small), contentOf(small)))).toMatchObject({
      code: "REGISTRY_PROTOCOL",
      message: `pushing layer ${digestOf(small)} to ${registry.host}/app: the registry began an upload without saying where it goes (Location)`,
    });
  });
});

describe("a mount", () => {
  it("moves nothing", async () => {
    await using registry = await startFakeRegistry();
    registry.putBlob("base", large);
    await using test = testRepository(registry.host, "app");
    expect(await test.repository.upload(descriptorOfLayer(large), contentOf(large), { mountFrom: ["base"] })).toBe("mounted");
    expect(registry.requests.map(({ method, query }) => [method, query.mount, query.from])).toEqual([
      ["HEAD", undefined, undefined],
      ["POST", digestOf(large), "base"],
    ]);
    expect(registry.content.repository("app").blobs.has(digestOf(large))).toBe(true);
  });

  it("asks for leave to read the other repository", async () => {
    await using registry = await startFakeRegistry({ auth: "bearer" });
    registry.putBlob("base", small);
    const credentials: CredentialSource = { find: async () => ({ kind: "basic", username: "user", password: "password" }) };
    await using test = testRepository(registry.host, "app", { credentials });
    expect(await test.repository.upload(descriptorOfLayer(small), contentOf(small), { mountFrom: ["base"] })).toBe("mounted");
  });

  it("that opens an upload instead does not waste it", async () => {
    await using registry = await startFakeRegistry({ mount: "ignored" });
    await using test = testRepository(registry.host, "app");
    expect(await test.repository.upload(descriptorOfLayer(small), contentOf(small), { mountFrom: ["a", "b"] })).toBe("uploaded");
    expect(summary(registry)).toEqual(["HEAD", "POST", "PUT 100000"]);
    expect(registry.content.uploads.size).toBe(0);
  });

  it("that is refused leads to the next place, of three at most, and to an upload", async () => {
    await using registry = await startFakeRegistry({ mount: "denied" });
    await using test = testRepository(registry.host, "app");
    const mountFrom = ["app", "a", "b", "c", "d"];
    expect(await test.repository.upload(descriptorOfLayer(small), contentOf(small), { mountFrom })).toBe("uploaded");
    expect(registry.requests.flatMap(({ query }) => query.from ?? [])).toEqual(["a", "b", "c"]);
    expect(summary(registry)).toEqual(["HEAD", "POST", "POST", "POST", "POST", "PUT 100000"]);
  });
});

describe("a broken upload", () => {
  async function broken(
    options: FakeRegistryOptions,
    bytes = large,
    atBytes = 5 * mebibyte,
    answers: Parameters<typeof intercepting>[0] = {},
  ) {
    const others = intercepting(answers);
    let writing: IncomingMessage | undefined;
    await using registry = await startFakeRegistry({
      ...options,
      intercept: (seen, request, response) => {
        if (seen.method === "PATCH" || seen.method === "PUT") writing = request;
        return others(seen, request, response);
      },
    });
    await using test = testRepository(registry.host, "app");
    const content = breakingContent(
      () => registry,
      () => writing,
      bytes,
      atBytes,
    );
    const told: string[] = [];
    const error = await failureOf(test.repository.upload(descriptorOfLayer(bytes), content, { onRetry: (message) => told.push(message) }));
    const { uploads, repositories } = registry.content;
    return {
      error,
      requests: summary(registry),
      told,
      uploads: uploads.size,
      there: repositories.get("app")?.blobs.has(digestOf(bytes)) === true,
    };
  }

  it("goes on where the registry says it stands", async () => {
    const { error, requests, told, uploads, there } = await broken({});
    expect(error).toBeUndefined();
    expect([uploads, there]).toEqual([0, true]);
    const [head, post, patch, get, rest, put] = requests;
    expect([head, post, get, put]).toEqual(["HEAD", "POST", "GET", "PUT"]);
    const held = Number(patch?.split(" ")[1]);
    expect(held).toBeGreaterThanOrEqual(5 * mebibyte);
    expect(rest).toBe(`PATCH ${held}-${large.length - 1} ${large.length - held}`);
    expect(told.length).toBe(1);
    expect(told[0]).toContain(`pushing layer ${digestOf(large)} to `);
  });

  it.each<[name: string, options: FakeRegistryOptions, between: string[]]>([
    ["loses it", { losesBrokenUploads: true }, ["GET", "DELETE", "POST"]],
    ["keeps nothing of it", { keepsBrokenChunks: false }, ["GET", "DELETE", "POST"]],
    ["does not say where it stands", { uploadStatus: false }, ["GET", "DELETE", "POST"]],
    ["does not say how much it has", { uploadRange: "absent" }, ["GET", "DELETE", "POST"]],
  ])("begins again, in chunks, where the registry %s", async (_name, options, between) => {
    const { error, requests, uploads, there } = await broken(options);
    expect(error).toBeUndefined();
    expect([uploads, there]).toEqual([0, true]);
    const rest = [`PATCH 0-${4 * mebibyte - 1} ${4 * mebibyte}`, `PATCH ${4 * mebibyte}-${8 * mebibyte - 1} ${4 * mebibyte}`];
    expect(requests.slice(3)).toEqual([...between, ...rest, `PATCH ${8 * mebibyte}-${9 * mebibyte - 1} ${mebibyte}`, "PUT"]);
  });

  it("of a little begins again", async () => {
    const { error, requests, uploads, there } = await broken({}, small, 65_536);
    expect(error).toBeUndefined();
    expect([uploads, there]).toEqual([0, true]);
    expect(requests.slice(3)).toEqual(["HEAD", "DELETE", "POST", "PUT 100000"]);
  });

  it("over a line on which no connection lasts arrives in chunks where the registry loses what breaks", async () => {
    const huge = sampleBytes(60 * mebibyte, "huge");
    await using registry = await startFakeRegistry({ losesBrokenUploads: true });
    await using line = await startCuttingLine(registry.host, 20_000_000);
    await using test = testRepository(line.host, "app", { settings: { attempts: 2 } });
    expect(await test.repository.upload(descriptorOfLayer(huge), contentOf(huge))).toBe("uploaded");
    expect(registry.content.holes()).toEqual([]);
    expect(line.breaks()).toBe(1);
    const sizes = registry.requests.filter(({ method }) => method === "PATCH").map(({ bodyBytes }) => bodyBytes / mebibyte);
    expect(sizes.slice(1)).toEqual([16, 16, 16, 12]);
  });

  it("over a line that takes less gets smaller chunks", async () => {
    await using registry = await startFakeRegistry({ losesBrokenUploads: true });
    await using line = await startCuttingLine(registry.host, 2_000_000);
    await using test = testRepository(line.host, "app", { settings: { attempts: 4 } });
    expect(await test.repository.upload(descriptorOfLayer(large), contentOf(large))).toBe("uploaded");
    // Of the stream, of 4 MiB.
    expect(line.breaks()).toBe(2);
    expect(summary(registry).slice(-10, -1)).toEqual(
      Array.from({ length: 9 }, (_, i) => `PATCH ${i * mebibyte}-${(i + 1) * mebibyte - 1} ${mebibyte}`),
    );
  });

  it.each<[name: string, answers: readonly Answer[]]>([
    ["no chunks", [status(416)]],
    ["chunks and loses them", [status(202, { location: "/v2/app/blobs/uploads/none" }), status(404)]],
    ["one chunk alone", [(_request) => false, status(400)]],
  ])("is sent as a stream again where the registry takes %s", async (_name, answers) => {
    const { error, requests, there } = await broken({ losesBrokenUploads: true }, large, 5 * mebibyte, {
      PATCH: [undefined, ...answers],
    });
    expect(error).toBeUndefined();
    expect(there).toBe(true);
    expect(requests.slice(-2)).toEqual([`PATCH ${large.length}`, "PUT"]);
  });

  it("asks again when it went on at the wrong place (416)", async () => {
    const lie: Answer = (request, response) => {
      const location = request.url ?? "";
      response.writeHead(204, { location, range: "0-99999" }).end();
      return true;
    };
    const { error, requests, uploads, there } = await broken({}, large, 5 * mebibyte, { GET: [lie] });
    expect(error).toBeUndefined();
    expect([uploads, there]).toEqual([0, true]);
    expect(requests[4]).toContain(`PATCH 100000-${large.length - 1}`);
    expect(requests[5]).toBe("GET");
    expect(requests[6]).toMatch(/^PATCH \d{7}-/);
  });

  it("that the registry counted wrong begins again once, and is right in the end", async () => {
    const lie: Answer = (request, response) => {
      response.writeHead(204, { location: request.url ?? "", range: "0-99999" }).end();
      return true;
    };
    // Takes the chunk at whatever place, as docker-registry does.
    const unranged: Answer = (request) => {
      delete request.headers["content-range"];
      return false;
    };
    const { error, uploads, there } = await broken({}, large, 5 * mebibyte, { GET: [lie], PATCH: [undefined, unranged] });
    expect(error).toBeUndefined();
    expect([uploads, there]).toEqual([0, true]);
  });

  it("that ends in failure is cleared away", async () => {
    const { error, uploads, there } = await broken({}, large, 5 * mebibyte, { GET: Array.from({ length: 20 }, () => status(500)) });
    expect(error).toMatchObject({ code: "REGISTRY_FAILED", status: 500 });
    expect([uploads, there]).toEqual([0, false]);
  });
});

describe("a registry that fails for a moment", () => {
  it.each<[name: string, bytes: Buffer, answers: Parameters<typeof intercepting>[0]]>([
    ["at the question", small, { HEAD: [status(500), status(503)] }],
    ["at the beginning", small, { POST: [status(500), status(429, { "retry-after": "1" })] }],
    ["at a small blob", small, { PUT: [status(502)] }],
    ["at a large blob", large, { PATCH: [status(500)] }],
    ["at the end", large, { PUT: [status(500), status(504)] }],
    ["with its answer to the end", large, { PUT: [answerLost] }],
    ["with its answer to a small blob", small, { PUT: [answerLost] }],
    ["with its answer to a large blob", large, { PATCH: [answerLost] }],
    ["with its answer to the beginning", small, { POST: [answerLost] }],
  ])("%s does not fail the upload", async (_name, bytes, answers) => {
    await using registry = await startFakeRegistry({ intercept: intercepting(answers) });
    await using test = testRepository(registry.host, "app");
    expect(await test.repository.upload(descriptorOfLayer(bytes), contentOf(bytes))).toBe("uploaded");
    expect(registry.content.repository("app").blobs.has(digestOf(bytes))).toBe(true);
    expect(registry.content.holes()).toEqual([]);
  });

  it("that reads a byte now and then is given up", async () => {
    await using registry = await startFakeRegistry({
      intercept: (seen, request) => {
        if (seen.method !== "PATCH") return false;
        const { socket } = request;
        // Behind the parser's back, which is not told to go on.
        request.on("newListener", () => socket.pause());
        const timer = setInterval(() => socket.read(1), 20);
        socket.on("close", () => clearInterval(timer));
        return true;
      },
    });
    await using test = testRepository(registry.host, "app", { settings: { attempts: 2, stallTimeoutMs: 300 } });
    // More than the system takes off our hands.
    const huge = sampleBytes(64 * mebibyte, "huge");
    expect(await failureOf(test.repository.upload(descriptorOfLayer(huge), contentOf(huge)))).toMatchObject({
      code: "REGISTRY_UNREACHABLE",
      message: `pushing layer ${digestOf(huge)} to ${registry.host}/app: ${registry.host}: no answer in time (2 tries)`,
    });
  });

  it("does not get a finished blob twice", async () => {
    expect(await pushed({ intercept: intercepting({ PUT: [answerLost] }) }, large)).toEqual([
      "HEAD",
      "POST",
      `PATCH ${large.length}`,
      "PUT",
      "HEAD",
    ]);
  });
});

describe("a registry with its own ways", () => {
  it("that takes no PATCH gets a PUT", async () => {
    const requests = await pushed({ patch: "refused" }, large);
    expect(requests.filter((line) => !line.startsWith("PATCH"))).toEqual(["HEAD", "POST", "DELETE", "POST", `PUT ${large.length}`]);
  });

  it("that fails four times and then takes no PATCH gets a PUT", async () => {
    const answers = [status(500), status(500), status(500), status(500), status(405)];
    const requests = await pushed({ uploadStatus: false, intercept: intercepting({ PATCH: answers }) }, large);
    expect(requests.at(-1)).toBe(`PUT ${large.length}`);
  });

  it("that takes no PUT with content gets a PATCH", async () => {
    const requests = await pushed({ intercept: intercepting({ PUT: [status(405)] }) }, small);
    expect(requests.filter((_line, i) => i !== 2)).toEqual(["HEAD", "POST", "DELETE", "POST", "PATCH 100000", "PUT"]);
  });

  it("that answers PATCH with 201 is followed", async () => {
    const created: Answer = (_request, response) => {
      const { writeHead } = response;
      response.writeHead = ((_code: number, ...rest: [Record<string, string>]) =>
        writeHead.call(response, 201, ...rest)) as typeof writeHead;
      return false;
    };
    expect(await pushed({ intercept: intercepting({ PATCH: [created] }) }, large)).toEqual([
      "HEAD",
      "POST",
      `PATCH ${large.length}`,
      "PUT",
    ]);
  });

  it.each<[name: string, options: FakeRegistryOptions, chunkBytes: number]>([
    ["before which a proxy takes 4 MiB", { maxBodyBytes: 4 * mebibyte }, 4 * mebibyte],
    ["before which a proxy takes 3 MiB", { maxBodyBytes: 3 * mebibyte }, mebibyte],
    ["that wants chunks of 2 MiB at least", { maxBodyBytes: 3 * mebibyte, minChunkBytes: 2 * mebibyte }, 2 * mebibyte],
  ])("%s gets chunks", async (_name, options, chunkBytes) => {
    const requests = await pushed(options, large);
    const chunks = requests.filter((line) => /^PATCH \d+-\d+ \d/.test(line));
    const expected: string[] = [];
    for (let start = 0; start < large.length; start += chunkBytes) {
      const end = Math.min(large.length, start + chunkBytes);
      expected.push(`PATCH ${start}-${end - 1} ${end - start}`);
    }
    expect(chunks).toEqual(expected);
  });

  it("before which a proxy takes next to nothing is an error that says so", async () => {
    await using registry = await startFakeRegistry({ maxBodyBytes: 1000 });
    await using test = testRepository(registry.host, "app");
    expect(await failureOf(test.repository.upload(descriptorOfLayer(large), contentOf(large)))).toMatchObject({
      code: "REGISTRY_FAILED",
      status: 413,
    });
    expect(registry.content.uploads.size).toBe(0);
  });

  it("that loses uploads again and again is an error", async () => {
    const lost = Array.from({ length: 50 }, () => status(404, {}, '{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN","message":"unknown"}]}'));
    await using registry = await startFakeRegistry({ intercept: intercepting({ PATCH: lost, PUT: lost }) });
    await using test = testRepository(registry.host, "app");
    expect(await failureOf(test.repository.upload(descriptorOfLayer(large), contentOf(large)))).toMatchObject({ status: 404 });
    expect(registry.content.uploads.size).toBe(0);
    expect(registry.requests.length).toBeLessThan(20);
  });

  it("that never keeps more than a little is an error", async () => {
    const says =
      (range: string): Answer =>
      (request, response) => {
        response.writeHead(request.method === "GET" ? 204 : 202, { location: request.url ?? "", range }).end();
        return true;
      };
    const many = Array.from({ length: 50 }, () => says("0-999"));
    await using registry = await startFakeRegistry({ intercept: intercepting({ PATCH: many, GET: many }) });
    await using test = testRepository(registry.host, "app");
    expect(await failureOf(test.repository.upload(descriptorOfLayer(large), contentOf(large)))).toMatchObject({
      code: "REGISTRY_PROTOCOL",
      message: `pushing layer ${digestOf(large)} to ${registry.host}/app: the registry keeps no more than 1000 bytes of what it is sent`,
    });
    expect(registry.content.uploads.size).toBe(0);
  });
});

describe("wrong bytes", () => {
  it.each<[name: string, sent: Buffer, actual: string]>([
    ["other ones", Buffer.concat([small.subarray(1), Buffer.from("x")]), "other content, says the registry"],
    ["too few", small.subarray(0, 99_999), "99999"],
    ["too many", Buffer.concat([small, Buffer.from("x")]), "more"],
  ])("are not stored: %s", async (_name, sent, actual) => {
    await using registry = await startFakeRegistry();
    await using test = testRepository(registry.host, "app");
    expect(await failureOf(test.repository.upload(descriptorOfLayer(small), contentOf(sent)))).toMatchObject({ code: "INTEGRITY", actual });
    expect(registry.content.repository("app").blobs.size).toBe(0);
    expect(registry.content.uploads.size).toBe(0);
  });

  it("that the registry names are believed", async () => {
    const other = `sha256:${"0".repeat(64)}`;
    const headers = { "docker-content-digest": other };
    await using registry = await startFakeRegistry({ intercept: intercepting({ PUT: [status(201, headers)] }) });
    await using test = testRepository(registry.host, "app");
    expect(await failureOf(test.repository.upload(descriptorOfLayer(small), contentOf(small)))).toMatchObject({
      code: "INTEGRITY",
      actual: other,
    });
  });
});

describe("content that cannot be read", () => {
  it("fails the upload with its own error, once", async () => {
    await using registry = await startFakeRegistry();
    await using test = testRepository(registry.host, "app");
    const reason = new Error("the disk is gone");
    let opened = 0;
    const content: UploadContent = {
      async *open() {
        opened += 1;
        yield small.subarray(0, 1000);
        throw reason;
      },
    };
    expect(await failureOf(test.repository.upload(descriptorOfLayer(small), content))).toBe(reason);
    expect(opened).toBe(1);
    expect(registry.content.uploads.size).toBe(0);
  });
});

describe("credentials", () => {
  const credentials: CredentialSource = { find: async () => ({ kind: "basic", username: "user", password: "password" }) };

  it("that expire in the middle are renewed", async () => {
    await using registry = await startFakeRegistry({ auth: "bearer" });
    await using test = testRepository(registry.host, "app", { credentials });
    let opened = 0;
    const content: UploadContent = {
      async *open(offset) {
        opened += 1;
        if (opened === 1) registry.expireTokens();
        yield* contentOf(large).open(offset);
      },
    };
    expect(await test.repository.upload(descriptorOfLayer(large), content)).toBe("uploaded");
    expect(opened).toBe(2);
    expect(registry.content.uploads.size).toBe(0);
  });

  it("do not go to another host that a Location names (credential theft)", async () => {
    const headers: (string | undefined)[] = [];
    const elsewhere = createServer((request, response) => {
      headers.push(request.headers.authorization);
      request.resume().on("end", () => response.writeHead(201).end());
    });
    await new Promise<void>((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
    try {
      const address = elsewhere.address();
      const port = typeof address === "object" ? address?.port : undefined;
      const location = `http://127.0.0.1:${port}/upload?signature=a%2Bb`;
      await using registry = await startFakeRegistry({
        auth: "basic",
        intercept: intercepting({ POST: [undefined, status(202, { location })] }),
      });
      await using test = testRepository(registry.host, "app", { credentials });
      await test.repository.hasBlob(descriptorOfLayer(small));
      await test.repository.upload(descriptorOfLayer(large), contentOf(large)).catch(() => undefined);
      await test.repository.upload(descriptorOfLayer(small), contentOf(small));
      expect(headers).toEqual([undefined]);
    } finally {
      elsewhere.closeAllConnections();
      elsewhere.close();
    }
  });
});

describe("cancelling", () => {
  it("ends an upload with the reason and leaves nothing half done", async () => {
    await using registry = await startFakeRegistry();
    await using test = testRepository(registry.host, "app");
    const controller = new AbortController();
    const reason = new Error("cancelled");
    let released = false;
    const content: UploadContent = {
      async *open() {
        try {
          for (let at = 0; ; at += 65_536) {
            if (at > mebibyte) controller.abort(reason);
            yield large.subarray(at, at + 65_536);
          }
        } finally {
          released = true;
        }
      },
    };
    expect(await failureOf(test.repository.upload(descriptorOfLayer(large), content, { signal: controller.signal }))).toBe(reason);
    expect(released).toBe(true);
    expect(registry.content.uploads.size).toBe(0);
    expect(registry.content.repositories.get("app")?.blobs.size ?? 0).toBe(0);
  });

  it("before it begins asks nothing", async () => {
    await using registry = await startFakeRegistry();
    await using test = testRepository(registry.host, "app");
    const reason = new Error("cancelled");
    const signal = AbortSignal.abort(reason);
    expect(await failureOf(test.repository.upload(descriptorOfLayer(large), contentOf(large), { signal }))).toBe(reason);
    expect(registry.requests).toEqual([]);
  });
});
