import type { ServerResponse } from "node:http";
import { describe, expect, it } from "vitest";
import { digestOf } from "../../../store/digest.ts";
import { mediaTypes } from "../../../store/oci.ts";
import { RegistryError } from "../../../store/registry/registry-error.ts";
import { type FakeRegistry, type FakeRegistryOptions, startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { drip } from "./http-fixtures.ts";
import { allOf, descriptorOf, failureOf, sampleBytes, testRepository } from "./test-repository.ts";

const bytes = sampleBytes(1_000_000);
const layer = { ...descriptorOf(bytes), mediaType: mediaTypes.layerGzip };

async function withBlob(options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
  const registry = await startFakeRegistry(options);
  registry.putBlob("app", bytes);
  return registry;
}

type Answer = (response: ServerResponse, offset: number) => void;

/** The first GETs of the blob are answered so, the rest by the registry. */
function blobAnswers(...answers: readonly Answer[]): FakeRegistryOptions {
  let count = 0;
  return {
    intercept: (seen, request, response) => {
      const answer = seen.method === "GET" ? answers[count++] : undefined;
      if (answer === undefined) return false;
      answer(response, Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0));
      return true;
    },
  };
}

/** Sends so many bytes of what is asked for, then breaks the connection. */
const cutAfter =
  (count: number): Answer =>
  (response, offset) => {
    const head = { "content-length": bytes.length - offset, "content-range": `bytes ${offset}-${bytes.length - 1}/${bytes.length}` };
    response.writeHead(offset === 0 ? 200 : 206, head);
    response.write(bytes.subarray(offset, offset + count), () => response.destroy());
  };

const whole =
  (status: number, headers: Record<string, string | number>, body: Buffer = bytes): Answer =>
  (response) => {
    response.writeHead(status, headers).end(body);
  };

describe("a download", () => {
  it("is the blob, in order", async () => {
    await using registry = await withBlob();
    await using test = testRepository(registry.host, "app");
    expect(digestOf(await allOf(test.repository.download(layer)))).toBe(layer.digest);
    expect(registry.requests.map(({ headers }) => [headers["accept-encoding"], headers.range])).toEqual([["identity", undefined]]);
  });

  it("of nothing needs no request", async () => {
    await using registry = await startFakeRegistry();
    await using test = testRepository(registry.host, "app");
    const empty = descriptorOf(Buffer.alloc(0));
    expect(await allOf(test.repository.download(empty))).toEqual(Buffer.alloc(0));
    expect(await failureOf(allOf(test.repository.download({ ...layer, size: 0 })))).toMatchObject({
      code: "INTEGRITY",
      actual: empty.digest,
    });
    expect(registry.requests).toEqual([]);
  });

  it("says how far it is", async () => {
    await using registry = await withBlob();
    await using test = testRepository(registry.host, "app");
    const done: number[] = [];
    await allOf(test.repository.download(layer, { onProgress: (doneBytes) => done.push(doneBytes) }));
    expect(done.at(-1)).toBe(bytes.length);
    expect(done).toEqual(done.toSorted((a, b) => a - b));
  });

  it("of a blob that is not there is an error", async () => {
    await using registry = await startFakeRegistry();
    await using test = testRepository(registry.host, "app");
    const error = await failureOf(allOf(test.repository.download(layer)));
    expect(error).toBeInstanceOf(RegistryError);
    expect(error).toMatchObject({ code: "REGISTRY_NOT_FOUND", status: 404 });
    expect((error as Error).message).toContain(`pulling layer ${layer.digest} from ${registry.host}/app: `);
  });

  it("beyond the limit is not begun", async () => {
    await using registry = await withBlob();
    await using test = testRepository(registry.host, "app", { settings: { maxLayerBytes: 999_999 } });
    expect(await failureOf(allOf(test.repository.download(layer)))).toMatchObject({
      code: "TOO_LARGE",
      message: `pulling layer ${layer.digest} from ${registry.host}/app: 1000000 bytes are more than the 999999 allowed`,
    });
    expect(registry.requests).toEqual([]);
  });
});

describe("a broken download", () => {
  it.each<[name: string, options: FakeRegistryOptions, ranges: (string | undefined)[]]>([
    ["by Range", blobAnswers(cutAfter(200_000), cutAfter(300_000)), [undefined, "bytes=200000-", "bytes=500000-"]],
    ["by reading it again where Range is ignored", { ...blobAnswers(cutAfter(200_000)), ranges: false }, [undefined, "bytes=200000-"]],
    ["after 500 and 429", blobAnswers(cutAfter(9), whole(500, {}), whole(429, {})), [undefined, "bytes=9-", "bytes=9-", "bytes=9-"]],
    ["by reading it again after 416", blobAnswers(cutAfter(100_000), whole(416, {})), [undefined, "bytes=100000-", undefined]],
    [
      "by reading it again after an answer to another range",
      blobAnswers(cutAfter(100_000), whole(206, { "content-range": `bytes 0-999999/1000000` })),
      [undefined, "bytes=100000-", undefined],
    ],
    [
      "by reading it again after a range of another size",
      blobAnswers(cutAfter(100_000), whole(206, { "content-range": `bytes 100000-999999/1000001` }, bytes.subarray(100_000))),
      [undefined, "bytes=100000-", undefined],
    ],
    [
      "where a server sends less than the rest",
      blobAnswers(cutAfter(100_000), whole(206, { "content-range": "bytes 100000-499999/1000000" }, bytes.subarray(100_000, 500_000))),
      [undefined, "bytes=100000-", "bytes=500000-"],
    ],
    ["that ends early without a length", blobAnswers(whole(200, {}, bytes.subarray(0, 70_000))), [undefined, "bytes=70000-"]],
  ])("goes on %s", async (_name, options, ranges) => {
    await using registry = await withBlob(options);
    await using test = testRepository(registry.host, "app");
    const told: string[] = [];
    expect(digestOf(await allOf(test.repository.download(layer, { onRetry: (message) => told.push(message) })))).toBe(layer.digest);
    expect(registry.requests.map(({ headers }) => headers.range)).toEqual(ranges);
    expect(told.length).toBeGreaterThan(0);
    expect(told[0]).toContain(`pulling layer ${layer.digest} from ${registry.host}/app: `);
  });

  it("is repeated without end while it moves forward", async () => {
    await using registry = await withBlob(blobAnswers(...Array.from({ length: 12 }, () => cutAfter(70_000))));
    await using test = testRepository(registry.host, "app", { settings: { attempts: 2 } });
    expect(digestOf(await allOf(test.repository.download(layer)))).toBe(layer.digest);
  });

  it("that only drips is given up", async () => {
    await using registry = await withBlob(blobAnswers(...Array.from({ length: 1_000 }, () => cutAfter(10))));
    await using test = testRepository(registry.host, "app", { settings: { attempts: 5 } });
    expect(await failureOf(allOf(test.repository.download(layer)))).toMatchObject({ code: "REGISTRY_UNREACHABLE" });
    expect(registry.requests.length).toBe(5);
  });

  it.each<[name: string, status: number, told: RegExp, expected: Record<string, unknown>]>([
    ["an answer", 200, /: \d+ bytes in 0\.2 s: too slow; next try in /, { code: "REGISTRY_UNREACHABLE" }],
    ["an error's reasons", 500, / answers 500 internal server error; next try in /, { code: "REGISTRY_FAILED", status: 500 }],
  ])("whose server drips %s without end is given up", async (_name, status, message, expected) => {
    const dripping: Answer = (response) => {
      response.writeHead(status);
      drip(response, 20);
    };
    await using registry = await withBlob(blobAnswers(...Array.from({ length: 100 }, () => dripping)));
    await using test = testRepository(registry.host, "app", { settings: { attempts: 3, stallTimeoutMs: 200 } });
    const told: string[] = [];
    expect(await failureOf(allOf(test.repository.download(layer, { onRetry: (text) => told.push(text) })))).toMatchObject(expected);
    expect(registry.requests.length).toBe(3);
    expect(told).toEqual([expect.stringMatching(message), expect.stringMatching(message)]);
  });

  it("that stalls goes on", async () => {
    await using registry = await withBlob(
      blobAnswers((response) => {
        response.writeHead(200, { "content-length": bytes.length });
        response.write(bytes.subarray(0, 100_000));
      }),
    );
    await using test = testRepository(registry.host, "app", { settings: { stallTimeoutMs: 200 } });
    expect(digestOf(await allOf(test.repository.download(layer)))).toBe(layer.digest);
    expect(registry.requests.at(-1)?.headers.range).toBe("bytes=100000-");
  });
});

describe("wrong bytes", () => {
  const flipped = Buffer.from(bytes);
  flipped[500_000] = (flipped[500_000] ?? 0) ^ 1;

  it.each<[name: string, answer: Answer, expected: string, actual: string]>([
    ["one bit", whole(200, {}, flipped), layer.digest, descriptorOf(flipped).digest],
    [
      "too long, announced",
      whole(200, { "content-length": 1_000_001 }, Buffer.concat([bytes, Buffer.from("x")])),
      "1000000 bytes",
      "1000001",
    ],
    ["too long, not announced", whole(200, {}, Buffer.concat([bytes, Buffer.from("x")])), "1000000 bytes", "more"],
    ["too short, announced", whole(200, { "content-length": 9 }, bytes.subarray(0, 9)), "1000000 bytes", "9"],
    ["an endless answer", whole(200, {}, Buffer.concat([bytes, bytes, bytes])), "1000000 bytes", "more"],
  ])("are refused: %s", async (_name, answer, expected, actual) => {
    await using registry = await withBlob(blobAnswers(answer));
    await using test = testRepository(registry.host, "app");
    const chunks: Uint8Array[] = [];
    const reading = (async () => {
      for await (const chunk of test.repository.download(layer)) chunks.push(chunk);
    })();
    expect(await failureOf(reading)).toMatchObject({
      code: "INTEGRITY",
      message: `pulling layer ${layer.digest} from ${registry.host}/app: expected ${expected}, got ${actual}`,
    });
    expect(Buffer.concat(chunks).length).toBeLessThanOrEqual(bytes.length);
  });

  it("compressed on the way are refused", async () => {
    await using registry = await withBlob(blobAnswers(whole(200, { "content-encoding": "gzip" })));
    await using test = testRepository(registry.host, "app");
    expect(await failureOf(allOf(test.repository.download(layer)))).toMatchObject({ code: "REGISTRY_PROTOCOL" });
  });

  it("of a mirror are refused, and the next download comes from elsewhere", async () => {
    await using mirror = await startFakeRegistry(blobAnswers(whole(200, {}, flipped)));
    await using registry = await withBlob();
    await using test = testRepository(registry.host, "app", { settings: { hosts: { [registry.host]: { mirrors: [mirror.url] } } } });
    expect(await failureOf(allOf(test.repository.download(layer)))).toMatchObject({
      code: "INTEGRITY",
      hint: `the bytes came from ${mirror.host}`,
    });
    expect(digestOf(await allOf(test.repository.download(layer)))).toBe(layer.digest);
    expect(mirror.requests.length).toBe(1);
  });
});

describe("mirrors", () => {
  const mirrored = (registry: FakeRegistry, ...mirrors: FakeRegistry[]) => ({
    settings: { hosts: { [registry.host]: { mirrors: mirrors.map(({ url }) => url) } }, attempts: 2 },
  });

  it("are asked in order, each going on where the last one stopped", async () => {
    await using first = await withBlob(blobAnswers(cutAfter(100_000), cutAfter(0), cutAfter(0)));
    await using second = await startFakeRegistry();
    await using registry = await withBlob();
    await using test = testRepository(registry.host, "app", mirrored(registry, first, second));
    const told: string[] = [];
    expect(digestOf(await allOf(test.repository.download(layer, { onRetry: (message) => told.push(message) })))).toBe(layer.digest);
    expect(second.requests.map(({ headers }) => headers.range)).toEqual(["bytes=100000-"]);
    expect(registry.requests.map(({ headers }) => headers.range)).toEqual(["bytes=100000-"]);
    expect(told.at(-1)).toContain(`the mirror ${second.host} failed: `);
  });

  it("that turn out to be dead are not asked by those who wait for a place", async () => {
    const reset: Answer = (response) => response.destroy();
    await using mirror = await startFakeRegistry(blobAnswers(...Array.from({ length: 100 }, () => reset)));
    await using registry = await withBlob();
    const { settings } = mirrored(registry, mirror);
    await using test = testRepository(registry.host, "app", { settings: { ...settings, parallel: 1 } });
    await Promise.all([1, 2, 3].map(() => allOf(test.repository.download(layer))));
    expect(mirror.requests.length).toBe(2);
  });

  it("that lack the blob leave the registry's own error", async () => {
    await using mirror = await startFakeRegistry();
    await using registry = await startFakeRegistry();
    await using test = testRepository(registry.host, "app", mirrored(registry, mirror));
    const error = await failureOf(allOf(test.repository.download(layer)));
    expect(error).toMatchObject({ code: "REGISTRY_NOT_FOUND" });
    expect((error as RegistryError).hint).toContain(`the mirror ${mirror.host} failed too: `);
  });
});

describe("places", () => {
  it("bound the downloads of a host, and are given up however one ends", async () => {
    let underWay = 0;
    let most = 0;
    await using registry = await withBlob({
      intercept: (_seen, _request, response) => {
        underWay += 1;
        most = Math.max(most, underWay);
        response.on("close", () => {
          underWay -= 1;
        });
        return false;
      },
    });
    await using test = testRepository(registry.host, "app", { settings: { parallel: 2 } });
    const missing = { ...layer, digest: descriptorOf(Buffer.from("missing")).digest };
    const all = Array.from({ length: 8 }, async (_, i) => {
      if (i % 4 === 1) return failureOf(allOf(test.repository.download(missing)));
      for await (const _chunk of test.repository.download(layer)) if (i % 4 === 2) break;
      return undefined;
    });
    await Promise.all(all);
    expect(most).toBeLessThanOrEqual(2);
  });

  it("do not keep a download and an upload apart: one may feed the other", async () => {
    await using registry = await withBlob();
    await using test = testRepository(registry.host, "copy", { settings: { parallel: 1 } });
    const source = test.other("app");
    const content = { open: (offset: number) => skipping(source.download(layer), offset) };
    expect(await test.repository.upload(layer, content)).toBe("uploaded");
    expect(registry.content.repository("copy").blobs.has(layer.digest)).toBe(true);
    expect(registry.content.holes()).toEqual([]);
  });
});

async function* skipping(chunks: AsyncIterable<Uint8Array>, count: number) {
  let left = count;
  for await (const chunk of chunks) {
    yield chunk.subarray(Math.min(left, chunk.length));
    left -= Math.min(left, chunk.length);
  }
}

describe("cancelling", () => {
  it("ends a download with the reason and its connection with it", async () => {
    let closed: (() => void) | undefined;
    const gone = new Promise<void>((resolve) => {
      closed = resolve;
    });
    await using registry = await withBlob(
      blobAnswers((response) => {
        response.on("close", () => closed?.());
        response.writeHead(200, { "content-length": bytes.length });
        response.write(bytes.subarray(0, 200_000));
      }),
    );
    await using test = testRepository(registry.host, "app");
    const controller = new AbortController();
    const reason = new Error("cancelled");
    const reading = (async () => {
      for await (const _chunk of test.repository.download(layer, { signal: controller.signal })) controller.abort(reason);
    })();
    expect(await failureOf(reading)).toBe(reason);
    await gone;
    expect(registry.requests.length).toBe(1);
  });

  it("ends waiting for a place", async () => {
    await using registry = await withBlob();
    await using test = testRepository(registry.host, "app", { settings: { parallel: 1 } });
    const first = test.repository.download(layer)[Symbol.asyncIterator]();
    await first.next();
    const controller = new AbortController();
    const second = failureOf(allOf(test.repository.download(layer, { signal: controller.signal })));
    const reason = new Error("cancelled");
    controller.abort(reason);
    expect(await second).toBe(reason);
    await first.return?.();
    expect(digestOf(await allOf(test.repository.download(layer)))).toBe(layer.digest);
  });
});
