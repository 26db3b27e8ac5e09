import { describe, expect, it } from "vitest";
import { parseDigest } from "../../../store/digest.ts";
import { mediaTypes } from "../../../store/oci.ts";
import { referrersTag } from "../../../store/registry/referrers.ts";
import { sha256 } from "../../support/registry/fake-content.ts";
import { fakeImage } from "../../support/registry/fake-image.ts";
import { type FakeRegistry, type FakeRegistryOptions, startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { failureOf, testRepository } from "./test-repository.ts";

const image = await fakeImage();
const subject = parseDigest(image.digest);
const subjectDescriptor = { mediaType: image.mediaType, digest: image.digest, size: image.bytes.length };

const sbom = await fakeImage({ manifest: { subject: subjectDescriptor, artifactType: "application/sbom" } });
const signature = await fakeImage({ manifest: { subject: subjectDescriptor, artifactType: "application/signature" } });
const other = await fakeImage({ manifest: { subject: subjectDescriptor, artifactType: "application/sbom", annotations: { n: "2" } } });

async function withReferrers(options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
  const registry = await startFakeRegistry(options);
  registry.putImage("app", "latest", image);
  for (const [i, one] of [sbom, signature, other].entries()) registry.putImage("app", `r${i}`, one);
  return registry;
}

async function digestsOf(registry: FakeRegistry, artifactType?: string): Promise<string[]> {
  await using test = testRepository(registry.host, "app");
  const found = await test.repository.referrers(subject, artifactType === undefined ? {} : { artifactType });
  return found.map(({ digest }) => digest);
}

/** The index that registries without the API keep under a tag. */
function putTagged(registry: FakeRegistry): void {
  const manifests = [sbom, signature].map(({ mediaType, digest, bytes }, i) => ({
    mediaType,
    digest,
    size: bytes.length,
    artifactType: i === 0 ? "application/sbom" : "application/signature",
  }));
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }));
  const digest = sha256(bytes);
  registry.content.repository("app").manifests.set(digest, { mediaType: mediaTypes.index, bytes });
  registry.content.repository("app").tags.set(referrersTag(subject), digest);
}

describe("referrers by the API", () => {
  it.each<[name: string, options: FakeRegistryOptions]>([
    ["in one page", {}],
    ["page by page", { pageSize: 1 }],
    ["filtered by us", { filtersReferrers: false }],
    ["filtered by us, page by page", { filtersReferrers: false, pageSize: 2 }],
  ])("come %s", async (_name, options) => {
    await using registry = await withReferrers(options);
    expect(await digestsOf(registry)).toEqual([sbom.digest, signature.digest, other.digest]);
    expect(await digestsOf(registry, "application/sbom")).toEqual([sbom.digest, other.digest]);
    expect(await digestsOf(registry, "application/none")).toEqual([]);
  });

  it("of another host are not asked for (credentials sent elsewhere)", async () => {
    await using registry = await startFakeRegistry({
      intercept: (_seen, _request, response) => {
        const body = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests: [] });
        response.writeHead(200, { link: "<https://evil.example/>; rel=next" }).end(body);
        return true;
      },
    });
    await using test = testRepository(registry.host, "app");
    expect(await failureOf(test.repository.referrers(subject))).toMatchObject({
      code: "REGISTRY_PROTOCOL",
      message: `listing the referrers of ${registry.host}/app@${subject}: the list goes on at https://evil.example, not at ${registry.url}`,
    });
  });
});

describe("referrers by the tag schema", () => {
  it.each<[referrersOff: 404 | "html" | 405]>([[404], ["html"], [405]])("are found where the API is answered %s", async (referrersOff) => {
    await using registry = await withReferrers({ referrers: false, referrersOff });
    expect(await digestsOf(registry)).toEqual([]);
    putTagged(registry);
    expect(await digestsOf(registry)).toEqual([sbom.digest, signature.digest]);
    expect(await digestsOf(registry, "application/signature")).toEqual([signature.digest]);
  });

  it("are under a tag made of the digest", () => {
    expect(referrersTag(subject)).toBe(`sha256-${image.digest.slice("sha256:".length)}`);
  });

  it("are none where the tag is an image's", async () => {
    await using registry = await withReferrers({ referrers: false });
    registry.putImage("app", referrersTag(subject), image);
    expect(await digestsOf(registry)).toEqual([]);
  });
});
