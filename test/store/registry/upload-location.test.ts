import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { describe, expect, it } from "vitest";
import { digestOf } from "../../../store/digest.ts";
import type { UploadOptions } from "../../../store/registry/repository.ts";
import { needs } from "../../support/needs.ts";
import { type FakeRegistry, startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { privateAuthority } from "../../support/registry/private-ca.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { serve } from "./http-fixtures.ts";
import { contentOf, descriptorOf, failureOf, sampleBytes, testRepository } from "./test-repository.ts";

const bytes = sampleBytes(9 * 1024 * 1024, "upload-location");
const target = { ...descriptorOf(bytes), digest: digestOf(bytes) };

interface Outcome {
  /** Requests to the other server, which speaks plain http. */
  readonly stolen: readonly string[];
  readonly failure: unknown;
  readonly other: string;
  readonly registry: FakeRegistry;
}

/** Uploads to a registry with TLS that answers the first request of a method with a Location at another server, over plain http. */
async function uploadLedAway(method: string, insecure: boolean, options: UploadOptions = {}): Promise<Outcome> {
  const authority = privateAuthority(temporaryDirectory("upload-location"));
  const { certFile, keyFile } = authority.issue("registry");
  const tls = { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
  const stolen: string[] = [];
  await using other = await serve((request: IncomingMessage, response) => {
    stolen.push(`${request.method} ${request.url}`);
    request.resume().on("end", () => response.writeHead(201).end());
  });
  await using registry = await startFakeRegistry({
    tls,
    intercept: (seen, request, response) => {
      if (seen.method !== method) return false;
      const location = `http://${other.host}/upload?sig=secret`;
      request.resume().on("end", () => response.writeHead(202, { location }).end());
      return true;
    },
  });
  const hosts = { [registry.host]: { ca: authority.ca, insecure } };
  await using test = testRepository(registry.host, "app", { settings: { hosts } });
  const failure = await failureOf(test.repository.upload(target, contentOf(bytes), options));
  return { stolen, failure, other: other.host, registry };
}

describe("an upload's Location that leads out of TLS", needs("openssl"), () => {
  it.each<[answer: string, method: string, options: UploadOptions]>([
    ["the POST", "POST", {}],
    ["the mount", "POST", { mountFrom: ["base"] }],
    ["the PATCH", "PATCH", {}],
  ])("attack: %s has layers sent in the clear", async (_answer, method, options) => {
    const { stolen, failure, other, registry } = await uploadLedAway(method, false, options);
    expect(failure).toMatchObject({
      code: "REGISTRY_PROTOCOL",
      message: `pushing blob ${target.digest} to ${registry.host}/app: the registry wants the upload sent to ${other} by plain http`,
    });
    expect(stolen).toEqual([]);
    expect(registry.content.uploads.size).toBe(0);
  });

  it("is followed from an insecure registry", async () => {
    const { stolen, failure } = await uploadLedAway("PATCH", true);
    expect(failure).toBeUndefined();
    expect(stolen).toEqual([`PUT /upload?sig=secret&digest=${encodeURIComponent(target.digest)}`]);
  });
});
