import { expect, it } from "vitest";
import { mediaTypes } from "../../../store/oci.ts";
import type { CredentialSource } from "../../../store/registry/credential.ts";
import { openRegistry } from "../../../store/registry/registry.ts";
import { defaultRegistrySettings, type RegistrySettings } from "../../../store/registry/settings.ts";
import { fakeImage } from "../../support/registry/fake-image.ts";
import { type FakeRegistry, startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { allOf, contentOf, descriptorOf, failureOf, sampleBytes } from "./test-repository.ts";

const bytes = sampleBytes(200_000);
const layer = { ...descriptorOf(bytes), mediaType: mediaTypes.layerGzip };

it("opens nothing for a repository that is not used", async () => {
  await using registry = openRegistry();
  const repository = registry.repository({ registry: "docker.io", repository: "library/debian" });
  expect([repository.registry, repository.name]).toEqual(["docker.io", "library/debian"]);
  expect(registry.settings).toEqual(defaultRegistrySettings);
});

it("names repositories as they are called after rewriting", async () => {
  const settings = { ...defaultRegistrySettings, rewrites: [{ from: "docker.io", to: "mirror.example/hub" }] };
  await using registry = openRegistry({ settings });
  const repository = registry.repository({ registry: "docker.io", repository: "library/debian" });
  expect([repository.registry, repository.name]).toEqual(["mirror.example", "hub/library/debian"]);
});

it("asks for a token once", async () => {
  await using server = await startFakeRegistry({ auth: "bearer" });
  server.putImage("app", "latest", await fakeImage());
  await using registry = openRegistry({ credentials: { find: async () => ({ kind: "basic", username: "user", password: "password" }) } });
  for (let i = 0; i < 3; i += 1) {
    const repository = registry.repository({ registry: server.host, repository: "app" });
    expect(await repository.manifest("latest")).toBeDefined();
  }
  expect(server.requests.filter(({ route }) => route.kind === "token").length).toBe(1);
});

const mirrorOf = ({ url }: FakeRegistry) => ({ hosts: { "a.example": { mirrors: [url] }, "b.example": { mirrors: [url] } } });

it.each<[name: string, settingsFor: (server: FakeRegistry) => Partial<RegistrySettings>, registries: (host: string) => readonly string[]]>([
  ["of a host, whatever the repository", () => ({}), (host) => [host]],
  ["of a mirror, whatever the registry that it stands for", mirrorOf, () => ["a.example", "b.example"]],
  ["of a host that is a mirror too", mirrorOf, (host) => [host, "a.example"]],
])("moves as many blobs at once as is allowed %s", async (_name, settingsFor, registries) => {
  const held: (() => void)[] = [];
  let underWay = 0;
  let most = 0;
  await using server = await startFakeRegistry({
    intercept: async (_seen, _request, response) => {
      underWay += 1;
      most = Math.max(most, underWay);
      response.on("close", () => {
        underWay -= 1;
      });
      // Answered in pairs: one at a time would wait for ever.
      await new Promise<void>((resolve) => {
        held.push(resolve);
        if (held.length === 2) for (const release of held.splice(0)) release();
      });
      return false;
    },
  });
  for (const name of ["a", "b"]) server.putBlob(name, bytes);
  await using registry = openRegistry({ settings: { ...defaultRegistrySettings, ...settingsFor(server), parallel: 2 } });
  const places = registries(server.host).flatMap((name) => ["a", "b", "a", "b"].map((repository) => ({ registry: name, repository })));
  const downloads = places.map((place) => allOf(registry.repository(place).download(layer)));
  await Promise.all(downloads);
  expect(most).toBe(2);
});

it("pushes and pulls", async () => {
  await using server = await startFakeRegistry();
  await using registry = openRegistry();
  const repository = registry.repository({ registry: server.host, repository: "team/app" });
  const image = await fakeImage({ layers: [{ a: "1" }, { b: "2" }] });
  for (const blob of [image.config, ...image.layers]) await repository.upload(descriptorOf(blob), contentOf(blob));
  await repository.putManifest(image.mediaType, image.bytes, ["v1", "latest"]);
  expect(server.content.holes()).toEqual([]);
  const found = await repository.manifest("v1");
  expect(found?.bytes).toEqual(image.bytes);
  for (const blob of image.layers) expect(await allOf(repository.download(descriptorOf(blob)))).toEqual(blob);
  const tags: string[] = [];
  for await (const page of repository.tags()) tags.push(...page);
  expect(tags).toEqual(["latest", "v1"]);
});

it("fails what is asked of it after it was closed", async () => {
  await using server = await startFakeRegistry();
  const registry = openRegistry({ settings: { ...defaultRegistrySettings, attempts: 1 } });
  const repository = registry.repository({ registry: server.host, repository: "app" });
  await repository.manifest("latest");
  await registry.close();
  await registry.close();
  expect(await failureOf(repository.manifest("latest"))).toBeInstanceOf(Error);
});

it("tells of every kind of request that is repeated, and shows no secret", async () => {
  const failed = new Set<string>();
  await using server = await startFakeRegistry({
    auth: "bearer",
    intercept: async ({ route }, _request, response) => {
      if (failed.has(route.kind)) return false;
      failed.add(route.kind);
      const text = route.kind === "token" ? "the secret is password" : "the name is user";
      response.writeHead(503, { "Content-Type": "text/plain" }).end(text);
      return true;
    },
  });
  server.putImage("app", "latest", await fakeImage());
  const messages: string[] = [];
  await using registry = openRegistry({
    credentials: { find: async () => ({ kind: "basic", username: "user", password: "password" }) },
    onRetry: (message) => messages.push(message),
  });
  const repository = registry.repository({ registry: server.host, repository: "app" });
  expect(await repository.manifest("latest")).toBeDefined();
  expect(messages.map((message) => message.replaceAll(server.host, "HOST").replace(/[\d.]+ m?s$/, "TIME"))).toEqual([
    "pulling manifest HOST/app:latest: HOST answers 503 service unavailable: the name is user; next try in TIME",
    "authenticating at HOST: HOST answers 503 service unavailable: the secret is ***; next try in TIME",
  ]);
});

it.each<[name: string, credentials: CredentialSource | undefined, hint: string]>([
  [
    "none were sent",
    undefined,
    "no credentials were sent: tsbuild login HOST; many registries answer so too when the repository does not exist",
  ],
  [
    "those of a file were",
    { find: async () => ({ kind: "basic", username: "user", password: "wr0ng" }), placeOf: async () => ({ where: "/auth.json" }) },
    "the credentials sent were those in /auth.json, and may be wrong or expired: tsbuild login HOST",
  ],
  [
    "it is one, also where nobody can say whose they were",
    {
      find: async () => ({ kind: "basic", username: "user", password: "wr0ng" }),
      placeOf: async () => {
        throw new Error("the file has gone");
      },
    },
    "the credentials sent were the given ones, and may be wrong or expired: tsbuild login HOST",
  ],
])("says of a refusal that %s", async (_name, credentials, hint) => {
  await using server = await startFakeRegistry({ auth: "basic" });
  await using registry = openRegistry(credentials === undefined ? {} : { credentials });
  const error = await failureOf(registry.repository({ registry: server.host, repository: "app" }).manifest("latest"));
  expect(error).toMatchObject({ code: "REGISTRY_DENIED", hint: hint.replaceAll("HOST", server.host) });
  expect(JSON.stringify([error, (error as Error).message])).not.toContain("wr0ng");
});
