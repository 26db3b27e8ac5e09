import { describe, expect, it } from "vitest";
import { parseDigest } from "../../../store/digest.ts";
import { mediaTypes } from "../../../store/oci.ts";
import { fakeImage } from "../../support/registry/fake-image.ts";
import { type FakeRegistryOptions, startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { failureOf, testRepository } from "./test-repository.ts";

const image = await fakeImage();
const descriptor = { mediaType: image.mediaType, digest: image.digest, size: image.bytes.length };

/** A registry that holds the image as app:latest. */
async function withImage(options: FakeRegistryOptions = {}) {
  const registry = await startFakeRegistry(options);
  registry.putImage("app", "latest", image);
  return registry;
}

/** The first requests of a method are answered so, the rest by the registry. */
function firstAnswers(
  method: string,
  answers: readonly { status: number; body?: string; headers?: Record<string, string | number> }[],
): FakeRegistryOptions {
  let count = 0;
  return {
    intercept: (seen, _request, response) => {
      const answer = seen.method === method ? answers[count++] : undefined;
      if (answer === undefined) return false;
      response.writeHead(answer.status, answer.headers ?? {}).end(answer.body ?? "");
      return true;
    },
  };
}

describe("reading a manifest", () => {
  it.each<[name: string, options: FakeRegistryOptions]>([
    ["a plain registry", {}],
    ["one that adds a charset", { manifestTypeSuffix: "; charset=utf-8" }],
    ["one that says no type", { manifestTypeSuffix: undefined }],
    ["one that fails twice", firstAnswers("GET", [{ status: 500 }, { status: 503 }])],
  ])("from %s, by tag and by digest", async (_name, options) => {
    await using registry = await withImage(options);
    await using test = testRepository(registry.host, "app");
    const expected = { descriptor, bytes: image.bytes };
    expect(await test.repository.manifest("latest")).toEqual(expected);
    expect(await test.repository.manifest(image.digest)).toEqual(expected);
    expect(registry.requests[0]?.headers.accept).toBe(
      "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, " +
        "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json",
    );
  });

  it("goes on when the connection breaks in the middle of the body", async () => {
    let broken = 0;
    await using registry = await withImage({
      intercept: (_seen, _request, response) => {
        if (broken++ > 1) return false;
        response.writeHead(200, { "content-length": image.bytes.length });
        response.write(image.bytes.subarray(0, 20), () => response.destroy());
        return true;
      },
    });
    await using test = testRepository(registry.host, "app");
    expect((await test.repository.manifest("latest"))?.bytes).toEqual(image.bytes);
    expect(test.waitsMs.length).toBe(2);
  });

  it("finds none where there is none", async () => {
    await using registry = await withImage();
    await using test = testRepository(registry.host, "app");
    expect(await test.repository.manifest("v2")).toBeUndefined();
    expect(await test.repository.resolve("v2")).toBeUndefined();
    expect(await test.other("nothing").manifest("latest")).toBeUndefined();
  });

  it.each<[name: string, options: FakeRegistryOptions, reference: string, message: string]>([
    [
      "other bytes than the digest asked for",
      firstAnswers("GET", [{ status: 200, body: "{}", headers: { "docker-content-digest": image.digest } }]),
      image.digest,
      `@${image.digest}: expected ${image.digest}, got sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a`,
    ],
    [
      "other bytes than the digest sent with a tag",
      firstAnswers("GET", [{ status: 200, body: "{}", headers: { "docker-content-digest": image.digest } }]),
      "latest",
      `:latest: expected ${image.digest}, got sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a`,
    ],
  ])("refuses %s", async (_name, options, reference, message) => {
    await using registry = await withImage(options);
    await using test = testRepository(registry.host, "app");
    expect(await failureOf(test.repository.manifest(reference))).toMatchObject({
      code: "INTEGRITY",
      message: `pulling manifest ${registry.host}/app${message}`,
    });
  });

  it("does not mind a digest of another algorithm beside a tag", async () => {
    const headers = { "docker-content-digest": `sha512:${"0".repeat(128)}`, "content-type": image.mediaType };
    await using registry = await withImage(firstAnswers("GET", [{ status: 200, body: image.bytes.toString(), headers }]));
    await using test = testRepository(registry.host, "app");
    expect((await test.repository.manifest("latest"))?.descriptor).toEqual(descriptor);
  });

  it.each<[name: string, headers: Record<string, string | number>]>([
    ["announced", { "content-length": 5_000_000 }],
    ["not announced", {}],
  ])("refuses one of more than 4 MiB, %s (memory exhaustion)", async (_name, headers) => {
    await using registry = await withImage(firstAnswers("GET", [{ status: 200, body: " ".repeat(5_000_000), headers }]));
    await using test = testRepository(registry.host, "app");
    expect(await failureOf(test.repository.manifest("latest"))).toMatchObject({
      code: "TOO_LARGE",
      message: `pulling manifest ${registry.host}/app:latest: the answer is longer than the 4194304 bytes allowed`,
    });
  });
});

describe("resolving a tag", () => {
  it("asks by HEAD alone", async () => {
    await using registry = await withImage();
    await using test = testRepository(registry.host, "app");
    expect(await test.repository.resolve("latest")).toEqual(descriptor);
    expect(await test.repository.resolve(image.digest)).toEqual(descriptor);
    expect(registry.takeLog()).toEqual(["HEAD /v2/app/manifests/latest 200", `HEAD /v2/app/manifests/${image.digest} 200`]);
  });

  it.each<[name: string, options: FakeRegistryOptions]>([
    ["without a digest", { headDigest: false }],
    [
      "without a length",
      firstAnswers("HEAD", [{ status: 200, headers: { "content-type": image.mediaType, "docker-content-digest": image.digest } }]),
    ],
    ["without a type", { manifestTypeSuffix: undefined }],
    ["405", { headManifests: false }],
    ["400", firstAnswers("HEAD", [{ status: 400 }])],
    ["403", firstAnswers("HEAD", [{ status: 403 }])],
  ])("asks by GET when HEAD is answered %s", async (_name, options) => {
    await using registry = await withImage(options);
    await using test = testRepository(registry.host, "app");
    expect(await test.repository.resolve("latest")).toEqual(descriptor);
    expect(registry.requests.map(({ method }) => method)).toEqual(["HEAD", "GET"]);
  });

  it("does not believe HEAD when a digest is answered by another one", async () => {
    const headers = { "content-type": image.mediaType, "docker-content-digest": `sha256:${"0".repeat(64)}`, "content-length": 7 };
    await using registry = await withImage(firstAnswers("HEAD", [{ status: 200, headers }]));
    await using test = testRepository(registry.host, "app");
    expect(await test.repository.resolve(image.digest)).toEqual(descriptor);
  });
});

describe("mirrors", () => {
  it.each<[name: string, mirror: FakeRegistryOptions | undefined]>([
    ["does not have it", undefined],
    ["refuses", firstAnswers("GET", [{ status: 403 }])],
    [
      "fails for good",
      firstAnswers(
        "GET",
        Array.from({ length: 6 }, () => ({ status: 500 })),
      ),
    ],
    ["has something else under the digest", firstAnswers("GET", [{ status: 200, body: "{}" }])],
  ])("lead to the registry itself when one %s", async (_name, options) => {
    await using mirror = await startFakeRegistry(options);
    await using registry = await withImage();
    await using test = testRepository(registry.host, "app", { settings: { hosts: { [registry.host]: { mirrors: [mirror.url] } } } });
    expect((await test.repository.manifest(image.digest))?.bytes).toEqual(image.bytes);
    expect(mirror.requests.length).toBeGreaterThan(0);
  });

  it("are asked first, under their prefix", async () => {
    await using mirror = await startFakeRegistry();
    mirror.putImage("cache/app", "latest", image);
    await using registry = await startFakeRegistry();
    await using test = testRepository(registry.host, "app", {
      settings: { hosts: { [registry.host]: { mirrors: [`${mirror.url}/cache`] } } },
    });
    expect((await test.repository.manifest("latest"))?.descriptor).toEqual(descriptor);
    expect(await test.repository.resolve("latest")).toEqual(descriptor);
    expect(registry.requests).toEqual([]);
    expect(await test.repository.manifest("latest", { mirrors: false })).toBeUndefined();
    expect(registry.requests.map(({ path }) => path)).toEqual(["/v2/app/manifests/latest"]);
  });

  it("are not asked again when they cannot be reached", async () => {
    const gone = await startFakeRegistry();
    await gone.close();
    await using registry = await withImage();
    await using test = testRepository(registry.host, "app", {
      settings: { hosts: { [registry.host]: { mirrors: [gone.url] } }, attempts: 3 },
    });
    await test.repository.manifest("latest");
    expect(test.waitsMs.length).toBe(2);
    await test.other("other").manifest("latest");
    await test.repository.manifest("latest");
    await test.repository.resolve(image.digest);
    expect(test.waitsMs.length).toBe(2);
  });

  it("that send something else are not asked for that repository again", async () => {
    await using mirror = await startFakeRegistry(firstAnswers("GET", [{ status: 200, body: "{}" }]));
    mirror.putImage("other", "latest", image);
    await using registry = await withImage();
    await using test = testRepository(registry.host, "app", { settings: { hosts: { [registry.host]: { mirrors: [mirror.url] } } } });
    await test.repository.manifest(image.digest);
    await test.repository.manifest(image.digest);
    expect(mirror.requests.length).toBe(1);
    expect(await test.other("other").manifest("latest")).toBeDefined();
    expect(mirror.requests.length).toBe(2);
  });

  it("stand beside the registry's own error, as a hint", async () => {
    await using mirror = await startFakeRegistry(firstAnswers("GET", [{ status: 403 }]));
    await using registry = await withImage(firstAnswers("GET", [{ status: 418 }]));
    await using test = testRepository(registry.host, "app", { settings: { hosts: { [registry.host]: { mirrors: [mirror.url] } } } });
    const error = await failureOf(test.repository.manifest("latest"));
    expect(error).toMatchObject({ code: "REGISTRY_FAILED", status: 418 });
    expect((error as { hint?: string }).hint).toContain(
      `the mirror ${mirror.host} failed too: pulling manifest ${registry.host}/app:latest: `,
    );
  });
});

describe("pushing a manifest", () => {
  const { digest } = image;

  async function target(options: FakeRegistryOptions = {}) {
    const registry = await startFakeRegistry(options);
    for (const blob of [image.config, ...image.layers]) registry.putBlob("app", blob);
    return registry;
  }

  it("goes under its digest, or under each tag", async () => {
    await using registry = await target();
    await using test = testRepository(registry.host, "app");
    expect(await test.repository.putManifest(image.mediaType, image.bytes, [])).toEqual({ subject: false });
    expect(await test.repository.putManifest(image.mediaType, image.bytes, ["a", "b"])).toEqual({ subject: false });
    expect(registry.takeLog()).toEqual([
      `PUT /v2/app/manifests/${digest} 201`,
      "PUT /v2/app/manifests/a 201",
      "PUT /v2/app/manifests/b 201",
    ]);
    expect(registry.requests.map(({ headers }) => headers["content-type"])).toEqual([image.mediaType, image.mediaType, image.mediaType]);
    expect(registry.content.holes()).toEqual([]);
  });

  it.each<[name: string, referrers: boolean]>([
    ["a registry that keeps referrers", true],
    ["one that does not", false],
  ])("with a subject tells of %s", async (_name, referrers) => {
    await using registry = await target({ referrers });
    await using test = testRepository(registry.host, "app");
    const bytes = Buffer.from(JSON.stringify({ ...JSON.parse(image.bytes.toString()), subject: descriptor }));
    expect(await test.repository.putManifest(image.mediaType, bytes, [])).toEqual({ subject: referrers });
  });

  it.each<["harbor" | "ecr"]>([["harbor"], ["ecr"]])("to a tag that may not be moved says so (as %s)", async (immutableTags) => {
    await using registry = await target({ immutableTags });
    await using test = testRepository(registry.host, "app");
    await test.repository.putManifest(image.mediaType, image.bytes, ["v1"]);
    expect(await failureOf(test.repository.putManifest(image.mediaType, image.bytes, ["v1"]))).toMatchObject({
      code: "REGISTRY_FAILED",
      hint: 'the tag "v1" exists and is immutable there: push under another one',
    });
  });

  it("refuses a registry that stored something else", async () => {
    const other = `sha256:${"0".repeat(64)}`;
    await using registry = await target(firstAnswers("PUT", [{ status: 201, headers: { "docker-content-digest": other } }]));
    await using test = testRepository(registry.host, "app");
    expect(await failureOf(test.repository.putManifest(image.mediaType, image.bytes, ["v1"]))).toMatchObject({
      code: "INTEGRITY",
      message: `pushing manifest ${registry.host}/app:v1: expected ${digest}, got ${other}`,
    });
  });

  it("is repeated when the registry fails for a moment", async () => {
    await using registry = await target(firstAnswers("PUT", [{ status: 500 }, { status: 429, headers: { "retry-after": 2 } }]));
    await using test = testRepository(registry.host, "app");
    await test.repository.putManifest(image.mediaType, image.bytes, ["v1"]);
    expect(test.waitsMs).toEqual([0, 2000]);
    expect(registry.content.find("app", "v1")).toBe(digest);
  });
});

describe("deleting a manifest", () => {
  it("removes it and its tags", async () => {
    await using registry = await withImage();
    await using test = testRepository(registry.host, "app");
    await test.repository.deleteManifest(parseDigest(image.digest));
    expect(registry.content.find("app", "latest")).toBeUndefined();
  });

  it("says that it is switched off", async () => {
    await using registry = await withImage({ deletes: false });
    await using test = testRepository(registry.host, "app");
    expect(await failureOf(test.repository.deleteManifest(parseDigest(image.digest)))).toMatchObject({
      code: "REGISTRY_FAILED",
      message: `deleting manifest ${registry.host}/app@${image.digest}: the registry does not allow deleting`,
      hint: "deleting is switched on in the registry's own configuration",
    });
  });

  it("of one that is not there is an error", async () => {
    await using registry = await withImage();
    await using test = testRepository(registry.host, "app");
    expect(await failureOf(test.repository.deleteManifest(parseDigest(`sha256:${"0".repeat(64)}`)))).toMatchObject({
      code: "REGISTRY_NOT_FOUND",
    });
  });
});

it("an index keeps its type and bytes", async () => {
  await using registry = await startFakeRegistry();
  const digest = registry.putIndex("app", "latest", [image], "docker");
  await using test = testRepository(registry.host, "app");
  expect((await test.repository.manifest("latest"))?.descriptor).toMatchObject({ mediaType: mediaTypes.dockerManifestList, digest });
});
