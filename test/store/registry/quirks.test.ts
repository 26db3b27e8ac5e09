import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { digestOf } from "../../../store/digest.ts";
import type { Descriptor } from "../../../store/oci.ts";
import { parseReference } from "../../../store/reference.ts";
import type { Credential } from "../../../store/registry/credential.ts";
import { dockerCredentials } from "../../../store/registry/docker-config.ts";
import { endpointsFor } from "../../../store/registry/endpoint.ts";
import { pullImage } from "../../../store/registry/pull.ts";
import { pushImage } from "../../../store/registry/push.ts";
import { openRegistry, type Registry } from "../../../store/registry/registry.ts";
import type { Repository } from "../../../store/registry/repository.ts";
import { defaultRegistrySettings, type RegistrySettings } from "../../../store/registry/settings.ts";
import { openStore } from "../../../store/store.ts";
import { needs } from "../../support/needs.ts";
import { descriptorOf, fakeImage, fakeIndex } from "../../support/registry/fake-image.ts";
import { type FakeRegistry, type FakeRegistryOptions, startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { startFaultProxy } from "../../support/registry/fault-proxy.ts";
import { privateAuthority } from "../../support/registry/private-ca.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { contentOf, failureOf, sampleBytes } from "./test-repository.ts";

interface Quirk {
  readonly id: string;
  readonly registry: string;
  readonly quirk: string;
  /** Where it is told of in public. */
  readonly source: string;
  /** The fake registry's switches that reproduce it; absent where no registry is needed. */
  readonly behaviour?: FakeRegistryOptions;
}

const quirks: readonly Quirk[] = JSON.parse(readFileSync(new URL("../../../fixtures/registry-quirks.json", import.meta.url), "utf8"));

const image = await fakeImage();
const docker = await fakeImage({ format: "docker" });
const other = await fakeImage({ platform: { os: "linux", architecture: "riscv64" } });
// Beyond what is sent with one PUT.
const large = sampleBytes(9 * 1024 * 1024);

interface Bench {
  readonly registry: FakeRegistry;
  readonly client: Registry;
  /** "app" holds an image, v1, and an index of it, multi. */
  readonly repository: Repository;
}

interface BenchOptions {
  readonly credential?: Credential;
  readonly settings?: (host: string) => Partial<RegistrySettings>;
  readonly more?: FakeRegistryOptions;
}

const user: Credential = { kind: "basic", username: "user", password: "password" };

async function withBench(quirk: Quirk, work: (bench: Bench) => Promise<void>, options: BenchOptions = {}): Promise<void> {
  await using registry = await startFakeRegistry({ ...quirk.behaviour, ...options.more });
  registry.putImage("app", "v1", image);
  registry.putIndex("app", "multi", [image, other]);
  const settings = { ...defaultRegistrySettings, attempts: 3, stallTimeoutMs: 5_000, ...options.settings?.(registry.host) };
  await using client = openRegistry({ settings, credentials: { find: async () => options.credential ?? user } });
  await work({ registry, client, repository: client.repository({ registry: registry.host, repository: "app" }) });
}

async function pulls({ registry, client }: Bench): Promise<void> {
  await using store = await openStore(join(temporaryDirectory("quirks"), "store"));
  for (const tag of ["v1", "multi"]) {
    const pulled = await pullImage(store, client, parseReference(`${registry.host}/app:${tag}`), { platform: image.platform });
    expect(pulled.descriptor.digest).toBe(image.digest);
  }
}

function upload(repository: Repository, bytes: Buffer): Promise<string> {
  return repository.upload({ ...descriptorOf("application/octet-stream", bytes), digest: digestOf(bytes) }, contentOf(bytes));
}

async function pushes({ registry, client }: Bench): Promise<void> {
  const repository = client.repository({ registry: registry.host, repository: "team/new" });
  expect(await upload(repository, large)).toBe("uploaded");
  for (const blob of [image.config, ...image.layers]) expect(await upload(repository, blob)).toBe("uploaded");
  await repository.putManifest(image.mediaType, image.bytes, ["v2"]);
  expect(registry.content.find("team/new", "v2")).toBe(image.digest);
  expect(registry.content.repository("team/new").blobs.get(digestOf(large))?.equals(large)).toBe(true);
  expect(registry.content.holes()).toEqual([]);
  expect(registry.content.uploads.size).toBe(0);
}

async function pullsAndPushes(bench: Bench): Promise<void> {
  await pulls(bench);
  await pushes(bench);
}

async function listsTags({ registry, repository }: Bench): Promise<void> {
  for (const tag of ["v2", "v3"]) registry.putImage("app", tag, image);
  const found: string[] = [];
  for await (const page of repository.tags()) found.push(...page);
  expect(found).toEqual(["multi", "v1", "v2", "v3"]);
}

/** None at first; then what the tag schema lists. */
async function findsReferrersByTag({ registry, repository }: Bench): Promise<void> {
  expect(await repository.referrers(digestOf(image.bytes))).toEqual([]);
  const index = fakeIndex([other]);
  const tag = image.digest.replace(":", "-");
  registry.content.repository("app").manifests.set(index.digest, index);
  registry.content.repository("app").tags.set(tag, index.digest);
  expect((await repository.referrers(digestOf(image.bytes))).map(({ digest }) => digest)).toEqual([other.digest]);
}

async function refusesToMoveTags({ registry, repository }: Bench): Promise<void> {
  registry.putImage("app", "v0", image);
  const moved = Buffer.concat([image.bytes, Buffer.from("\n")]);
  expect(await failureOf(repository.putManifest(image.mediaType, moved, ["v0"]))).toMatchObject({
    code: "REGISTRY_FAILED",
    hint: 'the tag "v0" exists and is immutable there: push under another one',
  });
  expect(registry.content.find("app", "v0")).toBe(image.digest);
}

/** What each quirk must come to; one for each row of the table. */
const trials: Readonly<Record<string, (quirk: Quirk) => Promise<void>>> = {
  "hub-api-host": async () => {
    const { reading } = endpointsFor(parseReference("debian"), defaultRegistrySettings);
    expect(reading).toMatchObject([{ registry: "docker.io", origin: "https://registry-1.docker.io", repository: "library/debian" }]);
  },
  "hub-credential-key": async () => {
    const home = temporaryDirectory("quirks");
    const auth = Buffer.from("user:password").toString("base64");
    mkdirSync(join(home, ".docker"));
    writeFileSync(join(home, ".docker/config.json"), JSON.stringify({ auths: { "https://index.docker.io/v1/": { auth } } }));
    expect(await dockerCredentials({ env: {}, home }).find("docker.io")).toEqual(user);
  },
  "hub-pull-limit": (quirk) =>
    withBench(quirk, async ({ registry, repository }) => {
      const error = await failureOf(repository.manifest("v1"));
      expect(error).toMatchObject({ code: "REGISTRY_RATE_LIMITED", status: 429 });
      expect(error).toHaveProperty("message", expect.stringContaining("You have reached your unauthenticated pull rate limit"));
      expect(error).toHaveProperty("hint", expect.stringContaining("tsbuild login"));
      registry.behaviour.pullLimit = 10;
      expect((await repository.manifest("v1"))?.descriptor.digest).toBe(image.digest);
    }),
  "hub-short-tokens": (quirk) => withBench(quirk, pullsAndPushes),
  "acr-access-token": (quirk) => withBench(quirk, pullsAndPushes),
  "acr-refresh-token": (quirk) => withBench(quirk, pullsAndPushes, { credential: { kind: "identity", token: "refresh-token" } }),
  "acr-blob-redirect": (quirk) => withBench(quirk, pullsRedirected),
  "ecr-blob-redirect": (quirk) => withBench(quirk, pullsRedirected),
  "ecr-stuck-range": (quirk) => withBench(quirk, pushes),
  "ecr-immutable-tag": (quirk) => withBench(quirk, refusesToMoveTags),
  "ecr-no-such-repository": (quirk) =>
    withBench(quirk, async ({ registry, client }) => {
      const error = await failureOf(upload(client.repository({ registry: registry.host, repository: "team/new" }), large));
      expect(error).toMatchObject({ code: "REGISTRY_NOT_FOUND", status: 404 });
      expect(error).toHaveProperty("message", expect.stringContaining("The repository with name 'team/new' does not exist"));
      expect(registry.requests.map(({ method }) => method)).toEqual(["HEAD", "POST"]);
    }),
  "ecr-manifest-media-type": (quirk) =>
    withBench(quirk, async (bench) => {
      const { mediaType, digest } = await pushesOwnManifest(bench, "v1");
      expect(mediaType).toBe(image.mediaType);
      expect(bench.registry.content.find("team/new", "v1")).toBe(digest);
    }),
  "gar-no-chunks": (quirk) => withBench(quirk, pushes),
  "ghcr-chunk-limit": async (quirk) => {
    await withBench(quirk, pushes);
    await withBench(quirk, resumesOrBeginsAnew);
  },
  "ghcr-accept": (quirk) => withBench(quirk, pullsAllTypes),
  "quay-schema-1": (quirk) => withBench(quirk, pullsAllTypes),
  "quay-content-type": (quirk) =>
    withBench(quirk, async (bench) => {
      await pulls(bench);
      expect((await bench.repository.resolve("v1"))?.mediaType).toBe(image.mediaType);
    }),
  "quay-relative-link": (quirk) => withBench(quirk, listsTags),
  "quay-page-token": (quirk) => withBench(quirk, listsTags),
  "quay-referrers-400": (quirk) => withBench(quirk, findsReferrersByTag),
  "harbor-immutable-tag": (quirk) => withBench(quirk, refusesToMoveTags),
  "harbor-robot-name": (quirk) =>
    withBench(quirk, pullsAndPushes, { credential: { kind: "basic", username: "robot$project+ci", password: "secret:with:colons" } }),
  "harbor-body-limit": (quirk) => withBench(quirk, pushes),
  "cloudflare-body-limit": (quirk) => withBench(quirk, pushes),
  "harbor-referrers-401": (quirk) => withBench(quirk, findsReferrersByTag),
  "gitlab-token-host": (quirk) =>
    withBench(quirk, async (bench) => {
      await pullsAndPushes(bench);
      const passwords = bench.registry.requests.filter(({ headers }) => headers.authorization?.startsWith("Basic "));
      expect(new Set(passwords.map(({ server }) => server))).toEqual(new Set(["token"]));
    }),
  "gitlab-dashed-digest": (quirk) =>
    withBench(quirk, async ({ registry, repository }) => {
      const digest = digestOf(fakeIndex([image, other]).bytes);
      expect(registry.content.find("app", digest)).toBe(digest);
      expect(await repository.referrers(digest)).toEqual([]);
    }),
  "jfrog-referrers-406": (quirk) => withBench(quirk, findsReferrersByTag),
  "jfrog-patch-only": (quirk) => withBench(quirk, pushes),
  "nexus-basic-in-capitals": (quirk) => withBench(quirk, pullsAndPushes),
  "negotiate-beside-basic": (quirk) => withBench(quirk, pullsAndPushes),
  "basic-beside-bearer": (quirk) => withBench(quirk, pullsAndPushes),
  "red-hat-no-digest": (quirk) =>
    withBench(quirk, async (bench) => {
      await pulls(bench);
      expect((await bench.repository.resolve("v1"))?.digest).toBe(image.digest);
      expect(bench.registry.takeLog().slice(-2)).toEqual(["HEAD /v2/app/manifests/v1 200", "GET /v2/app/manifests/v1 200"]);
    }),
  "distribution-empty-range": (quirk) => withBench(quirk, resumesOrBeginsAnew),
  "docker-bytes-range": (quirk) => withBench(quirk, resumesOrBeginsAnew),
  "artifact-keeper-range": (quirk) => withBench(quirk, pushes),
  "distribution-no-referrers": (quirk) => withBench(quirk, findsReferrersByTag),
  "false-referrers": (quirk) => withBench(quirk, findsReferrersByTag),
  "zot-oci-only": (quirk) =>
    withBench(quirk, async (bench) => {
      await pushes(bench);
      for (const blob of [docker.config, ...docker.layers]) bench.registry.putBlob("app", blob);
      const error = await failureOf(bench.repository.putManifest(docker.mediaType, docker.bytes, ["docker"]));
      expect(error).toMatchObject({ code: "REGISTRY_FAILED", status: 415 });
      expect(error).toHaveProperty("message", expect.stringContaining(`media type ${docker.mediaType} is not supported`));
      bench.registry.putImage("app", "docker", docker);
      const { digest } = await pushesOwnManifest(bench, "docker");
      expect(bench.registry.content.find("team/new", "docker")).toBe(digest);
    }),
};

/** Pushes what it pulled as an image of our own making, in OCI's types. */
async function pushesOwnManifest({ registry, client }: Bench, tag: string): Promise<Descriptor> {
  await using store = await openStore(join(temporaryDirectory("quirks"), "store"));
  const { rawConfig, layers } = await pullImage(store, client, parseReference(`${registry.host}/app:${tag}`), { platform: image.platform });
  return await pushImage(store, client, { rawConfig, layers }, [parseReference(`${registry.host}/team/new:${tag}`)]);
}

async function pullsRedirected(bench: Bench): Promise<void> {
  await pulls(bench);
  const stored = bench.registry.requests.filter(({ server }) => server === "storage");
  expect(stored.length).toBeGreaterThan(1);
  expect(stored.filter(({ headers }) => headers.authorization !== undefined)).toEqual([]);
}

/** Images and indexes of both families. */
async function pullsAllTypes({ registry, repository }: Bench): Promise<void> {
  registry.putImage("app", "docker", docker);
  registry.putIndex("app", "list", [docker], "docker");
  for (const tag of ["v1", "multi", "docker", "list"]) {
    expect((await repository.manifest(tag))?.descriptor.digest).toBe(registry.content.find("app", tag));
    expect((await repository.resolve(tag))?.digest).toBe(registry.content.find("app", tag));
  }
}

/** Where the status of a broken upload helps little, the blob arrives all the same. */
async function resumesOrBeginsAnew({ registry, client }: Bench): Promise<void> {
  for (const at of [0, "middle"] as const) {
    await using proxy = await startFaultProxy(registry.url);
    proxy.arm({ method: "PATCH", route: "upload", nth: 1 }, { kind: "cut request", at });
    const name = at === 0 ? "team/early" : "team/late";
    expect(await upload(client.repository({ registry: proxy.host, repository: name }), large)).toBe("uploaded");
    expect(proxy.hits()).toBe(1);
    expect(registry.content.repository(name).blobs.get(digestOf(large))?.equals(large)).toBe(true);
  }
}

beforeAll(() => {
  // The waits between tries are random parts of half a second and more.
  vi.spyOn(Math, "random").mockReturnValue(0.01);
});

afterAll(() => {
  vi.restoreAllMocks();
});

describe("a known quirk", () => {
  it.each(quirks.filter(({ id }) => id in trials).map((quirk) => [`${quirk.registry}: ${quirk.quirk}`, quirk] as const))(
    "%s",
    async (_name, quirk) => {
      await trials[quirk.id]?.(quirk);
    },
  );

  it("Harbor: behind a proxy that ends TLS, the Location of an upload begins with http://", needs("openssl"), async () => {
    const directory = temporaryDirectory("quirks");
    const authority = privateAuthority(directory);
    const { certFile, keyFile } = authority.issue("registry");
    const tls = { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
    const quirk = quirks.find(({ id }) => id === "harbor-http-location");
    expect(quirk).toBeDefined();
    if (quirk === undefined) return;
    const settings = (host: string) => ({ hosts: { [host]: { ca: authority.ca } } });
    await withBench(quirk, pushes, { settings, more: { tls, auth: "basic" } });
  });

  it("has a public source and a trial each", () => {
    expect(quirks.map(({ id }) => id).sort()).toEqual([...Object.keys(trials), "harbor-http-location"].sort());
    expect(quirks.filter(({ source }) => !source.startsWith("https://"))).toEqual([]);
  });
});
