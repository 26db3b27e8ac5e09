import { describe, expect, it } from "vitest";
import { digestOf } from "../../../store/digest.ts";
import { endpointsFor } from "../../../store/registry/endpoint.ts";
import { openHttp } from "../../../store/registry/http.ts";
import { checkLogin } from "../../../store/registry/login.ts";
import { openRegistry } from "../../../store/registry/registry.ts";
import type { Repository } from "../../../store/registry/repository.ts";
import { retryPolicy } from "../../../store/registry/retry.ts";
import { defaultRegistrySettings } from "../../../store/registry/settings.ts";
import type { FakeBehaviour } from "../../support/registry/fake-behaviour.ts";
import { descriptorOf, fakeImage } from "../../support/registry/fake-image.ts";
import { type FakeRegistry, startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { startFaultProxy } from "../../support/registry/fault-proxy.ts";
import { allOf, contentOf, sampleBytes } from "./test-repository.ts";

const image = await fakeImage();
const [layer] = image.layers;
const small = sampleBytes(1000);
// Beyond what is sent with one PUT.
const large = sampleBytes(9 * 1024 * 1024);
const octets = "application/octet-stream";

interface Bench {
  readonly registry: FakeRegistry;
  readonly repository: Repository;
}

/** Requests that the work made, as "METHOD path?query status", what changes from run to run as "*". */
async function requestsOf(work: (bench: Bench) => Promise<void>, behaviour: Partial<FakeBehaviour> = {}): Promise<string[]> {
  await using registry = await startFakeRegistry(behaviour);
  await using client = openRegistry();
  registry.putImage("app", "v1", image);
  await work({ registry, repository: client.repository({ registry: registry.host, repository: "app" }) });
  return registry.requests.map(({ method, path, query, status }) => {
    const asked = new URLSearchParams(query).toString();
    const line = `${method} ${path}${asked === "" ? "" : `?${asked}`} ${status}`;
    return decodeURIComponent(line.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}|(?<=state=)[0-9a-f]+/g, "*"));
  });
}

function upload(repository: Repository, bytes: Buffer, mountFrom?: readonly string[]): Promise<string> {
  return repository.upload(descriptor(bytes), contentOf(bytes), mountFrom === undefined ? {} : { mountFrom });
}

function descriptor(bytes: Uint8Array) {
  return { ...descriptorOf(octets, bytes), digest: digestOf(bytes) };
}

/** An artifact about the image; the type makes it another one. */
function artifact(artifactType: string): Buffer {
  const empty = { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf("{}"), size: 2 };
  const subject = { mediaType: image.mediaType, digest: image.digest, size: image.bytes.length };
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, artifactType, config: empty, layers: [empty], subject }));
}

describe("end-1", () => {
  it("GET /v2/ tells whether a login is good", async () => {
    const requests = await requestsOf(
      async ({ registry }) => {
        const settings = defaultRegistrySettings;
        await using http = openHttp({ settings });
        const endpoint = endpointsFor({ registry: registry.host, repository: "login" }, settings).writing;
        const check = await checkLogin({ http, retry: retryPolicy(settings), settings }, endpoint, {
          username: "user",
          password: "password",
        });
        expect(check.open).toBe(false);
      },
      { auth: "basic" },
    );
    expect(requests).toEqual(["GET /v2/ 401", "GET /v2/ 200"]);
  });
});

describe("end-2", () => {
  it("GET brings a blob", async () => {
    const requests = await requestsOf(async ({ repository }) => {
      expect(await allOf(repository.download(descriptor(layer ?? small)))).toEqual(layer);
    });
    expect(requests).toEqual([`GET /v2/app/blobs/${digestOf(layer ?? "")} 200`]);
  });

  it("HEAD tells whether a blob is there", async () => {
    const requests = await requestsOf(async ({ repository }) => {
      expect(await repository.hasBlob(descriptor(layer ?? small))).toBe(true);
      expect(await repository.hasBlob(descriptor(small))).toBe(false);
    });
    expect(requests).toEqual([`HEAD /v2/app/blobs/${digestOf(layer ?? "")} 200`, `HEAD /v2/app/blobs/${digestOf(small)} 404`]);
  });
});

describe("end-3", () => {
  it("GET brings a manifest by tag and by digest", async () => {
    const requests = await requestsOf(async ({ repository }) => {
      for (const reference of ["v1", image.digest]) expect((await repository.manifest(reference))?.bytes).toEqual(image.bytes);
      expect(await repository.manifest("v2")).toBeUndefined();
    });
    expect(requests).toEqual(["GET /v2/app/manifests/v1 200", `GET /v2/app/manifests/${image.digest} 200`, "GET /v2/app/manifests/v2 404"]);
  });

  it("HEAD tells what a tag means", async () => {
    const requests = await requestsOf(async ({ repository }) => {
      expect(await repository.resolve("v1")).toEqual(descriptorOf(image.mediaType, image.bytes));
    });
    expect(requests).toEqual(["HEAD /v2/app/manifests/v1 200"]);
  });
});

describe("end-4a and end-6", () => {
  it("POST and PUT send a small blob in one piece", async () => {
    const requests = await requestsOf(async ({ registry, repository }) => {
      expect(await upload(repository, small)).toBe("uploaded");
      expect(registry.content.repository("app").blobs.get(digestOf(small))).toEqual(small);
    });
    expect(requests).toEqual([
      `HEAD /v2/app/blobs/${digestOf(small)} 404`,
      "POST /v2/app/blobs/uploads/ 202",
      `PUT /v2/app/blobs/uploads/*?state=*&digest=${digestOf(small)} 201`,
    ]);
  });
});

describe("end-5", () => {
  it("PATCH sends a large blob", async () => {
    const requests = await requestsOf(async ({ registry, repository }) => {
      expect(await upload(repository, large)).toBe("uploaded");
      expect(registry.content.holes()).toEqual([]);
    });
    expect(requests.slice(1)).toEqual([
      "POST /v2/app/blobs/uploads/ 202",
      "PATCH /v2/app/blobs/uploads/*?state=* 202",
      `PUT /v2/app/blobs/uploads/*?state=*&digest=${digestOf(large)} 201`,
    ]);
  });

  it("PATCH sends chunks where a gateway limits bodies", async () => {
    const requests = await requestsOf(
      async ({ registry, repository }) => {
        expect(await upload(repository, large)).toBe("uploaded");
        expect(registry.content.holes()).toEqual([]);
      },
      { maxBodyBytes: 5_000_000, minChunkBytes: 1_000_000 },
    );
    expect(requests.slice(1).map((line) => line.replace(/\?.* /, " "))).toEqual([
      "POST /v2/app/blobs/uploads/ 202",
      "PATCH /v2/app/blobs/uploads/* 413",
      "PATCH /v2/app/blobs/uploads/* 202",
      "PATCH /v2/app/blobs/uploads/* 202",
      "PATCH /v2/app/blobs/uploads/* 202",
      "PUT /v2/app/blobs/uploads/* 201",
    ]);
  });
});

describe("end-7", () => {
  it("PUT stores a manifest under its tags, or its digest", async () => {
    const manifest = Buffer.concat([image.bytes, Buffer.from("\n")]);
    const digest = digestOf(manifest);
    const requests = await requestsOf(async ({ registry, repository }) => {
      await repository.putManifest(image.mediaType, manifest, ["a", "b"]);
      await repository.putManifest(image.mediaType, manifest, []);
      expect(registry.content.repository("app").tags.get("b")).toBe(digest);
    });
    expect(requests).toEqual(["PUT /v2/app/manifests/a 201", "PUT /v2/app/manifests/b 201", `PUT /v2/app/manifests/${digest} 201`]);
  });

  it("PUT tells whether the registry notes referrers", async () => {
    for (const referrers of [true, false]) {
      await requestsOf(
        async ({ registry, repository }) => {
          registry.putBlob("app", Buffer.from("{}"));
          const answer = await repository.putManifest("application/vnd.oci.image.manifest.v1+json", artifact("text/x"), []);
          expect(answer).toEqual({ subject: referrers });
        },
        { referrers },
      );
    }
  });
});

describe("end-8a and end-8b", () => {
  it("GET lists tags, page by page", async () => {
    const requests = await requestsOf(
      async ({ registry, repository }) => {
        for (const tag of ["v2", "v3"]) registry.putImage("app", tag, image);
        const pages: (readonly string[])[] = [];
        for await (const page of repository.tags()) pages.push(page);
        expect(pages).toEqual([["v1", "v2"], ["v3"]]);
      },
      { pageSize: 2 },
    );
    expect(requests).toEqual(["GET /v2/app/tags/list?n=1000 200", "GET /v2/app/tags/list?last=v2&n=2 200"]);
  });
});

describe("end-9", () => {
  it("DELETE removes a manifest", async () => {
    const requests = await requestsOf(async ({ registry, repository }) => {
      await repository.deleteManifest(digestOf(image.bytes));
      expect([...registry.content.repository("app").tags]).toEqual([]);
    });
    expect(requests).toEqual([`DELETE /v2/app/manifests/${image.digest} 202`]);
  });
});

describe("end-11", () => {
  it("POST mounts a blob of another repository", async () => {
    const digest = digestOf(large);
    const requests = await requestsOf(async ({ registry, repository }) => {
      registry.putBlob("team/base", large);
      expect(await upload(repository, large, ["team/base"])).toBe("mounted");
      expect(registry.bytes().received).toBe(0);
    });
    expect(requests.slice(1)).toEqual([`POST /v2/app/blobs/uploads/?mount=${digest}&from=team/base 201`]);
  });

  it("POST that does not mount has begun the upload", async () => {
    const digest = digestOf(small);
    const requests = await requestsOf(async ({ repository }) => {
      expect(await upload(repository, small, ["team/base"])).toBe("uploaded");
    });
    expect(requests.slice(1)).toEqual([
      `POST /v2/app/blobs/uploads/?mount=${digest}&from=team/base 202`,
      `PUT /v2/app/blobs/uploads/*?state=*&digest=${digest} 201`,
    ]);
  });
});

describe("end-12a and end-12b", () => {
  async function listed(behaviour: Partial<FakeBehaviour>, artifactType?: string): Promise<{ digests: string[]; requests: string[] }> {
    const digests: string[] = [];
    const requests = await requestsOf(async ({ registry, repository }) => {
      registry.putBlob("app", Buffer.from("{}"));
      for (const type of ["text/a", "text/b"]) {
        const { mediaType } = image;
        const bytes = artifact(type);
        registry.content.repository("app").manifests.set(digestOf(bytes), { mediaType, bytes });
      }
      const found = await repository.referrers(digestOf(image.bytes), artifactType === undefined ? {} : { artifactType });
      digests.push(...found.map(({ digest }) => digest));
    }, behaviour);
    return { digests, requests };
  }
  const both = ["text/a", "text/b"].map((type) => digestOf(artifact(type)));

  it("GET lists what refers to an image, page by page", async () => {
    const { digests, requests } = await listed({ pageSize: 1 });
    expect(digests).toEqual(both);
    expect(requests).toEqual([`GET /v2/app/referrers/${image.digest} 200`, `GET /v2/app/referrers/${image.digest}?skip=1 200`]);
  });

  it.each([true, false])("GET asks for one type, and filters where the registry does not (it does: %s)", async (filtersReferrers) => {
    const { digests, requests } = await listed({ filtersReferrers }, "text/b");
    expect(digests).toEqual(both.slice(1));
    expect(requests).toEqual([`GET /v2/app/referrers/${image.digest}?artifactType=text/b 200`]);
  });

  it("the tag schema stands in where there is no such endpoint", async () => {
    const { digests, requests } = await listed({ referrers: false });
    expect(digests).toEqual([]);
    expect(requests).toEqual([`GET /v2/app/referrers/${image.digest} 404`, `GET /v2/app/manifests/${image.digest.replace(":", "-")} 404`]);
  });
});

describe("end-13", () => {
  it("GET asks where a broken upload stands, and the upload goes on from there", async () => {
    await using registry = await startFakeRegistry();
    await using proxy = await startFaultProxy(registry.url);
    await using client = openRegistry();
    proxy.arm({ method: "PATCH", route: "upload", nth: 1 }, { kind: "cut request", at: "middle" });
    const repository = client.repository({ registry: proxy.host, repository: "app" });
    expect(await upload(repository, large)).toBe("uploaded");
    expect(registry.takeLog().map((line) => line.replace(/ \S+ /, " "))).toEqual([
      "HEAD 404",
      "POST 202",
      "PATCH 499",
      "GET 204",
      "PATCH 202",
      "PUT 201",
    ]);
    expect(registry.bytes().received).toBe(large.length);
  });
});

describe("an upload that is given up", () => {
  it("DELETE clears it away", async () => {
    const requests = await requestsOf(async ({ registry, repository }) => {
      const other = { ...descriptor(small), digest: digestOf("other") };
      await expect(repository.upload(other, contentOf(small))).rejects.toMatchObject({ code: "INTEGRITY" });
      expect(registry.content.uploads.size).toBe(0);
    });
    expect(requests.at(-1)).toMatch(/^DELETE \/v2\/app\/blobs\/uploads\/\*/);
  });
});
