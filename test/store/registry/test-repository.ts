import { createCipheriv, createHash } from "node:crypto";
import { openAuthorizer } from "../../../store/registry/authorizer.ts";
import { openCaller } from "../../../store/registry/call.ts";
import { anonymous, type CredentialSource } from "../../../store/registry/credential.ts";
import { endpointsFor } from "../../../store/registry/endpoint.ts";
import { openHttp } from "../../../store/registry/http.ts";
import { openRepository } from "../../../store/registry/open-repository.ts";
import type { Repository, UploadContent } from "../../../store/registry/repository.ts";
import { retryPolicy } from "../../../store/registry/retry.ts";
import { defaultRegistrySettings, type RegistrySettings } from "../../../store/registry/settings.ts";
import { slotsOfServers } from "../../../store/registry/slots.ts";
import { allOf, descriptorOf } from "../../conformance/blob-store.suite.ts";

export { allOf, descriptorOf };

export interface TestRepository extends AsyncDisposable {
  readonly repository: Repository;
  /** Another one with the same connections, places and memory of mirrors. */
  other(name: string): Repository;
  /** How long was waited between tries; nothing really waits. */
  readonly waitsMs: readonly number[];
}

export interface TestRepositoryOptions {
  readonly settings?: Partial<RegistrySettings>;
  readonly credentials?: CredentialSource;
}

/** A repository of a registry at `host`, with everything real but the waiting between tries. */
export function testRepository(host: string, name: string, options: TestRepositoryOptions = {}): TestRepository {
  const settings = { ...defaultRegistrySettings, stallTimeoutMs: 5_000, ...options.settings };
  const waitsMs: number[] = [];
  const sleep = async (ms: number, signal: AbortSignal | undefined) => {
    signal?.throwIfAborted();
    waitsMs.push(ms);
  };
  const http = openHttp({ settings });
  const retrying = retryPolicy(settings, { random: () => 0, sleep });
  const authorizer = openAuthorizer({ http, credentials: options.credentials ?? anonymous, retry: retrying, settings });
  const caller = openCaller({ http, authorizer, retry: retrying });
  const shared = {
    caller,
    retrying,
    mirrorRetrying: retrying,
    settings,
    slotsOf: slotsOfServers(settings.parallel),
    failedMirrors: new Set<string>(),
  };
  const other = (repository: string) => openRepository({ ...shared, endpoints: endpointsFor({ registry: host, repository }, settings) });
  return { repository: other(name), other, waitsMs, [Symbol.asyncDispose]: () => http.close() };
}

/** Bytes that are no pattern, the same for the same seed. */
export function sampleBytes(sizeBytes: number, seed = "sample"): Buffer {
  const key = createHash("sha256").update(seed).digest().subarray(0, 16);
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(sizeBytes));
}

export interface SampleContent extends UploadContent {
  /** The offset of each time that it was opened. */
  readonly opened: number[];
}

export function contentOf(bytes: Buffer, chunkBytes = 64 * 1024): SampleContent {
  const opened: number[] = [];
  return {
    opened,
    async *open(offset) {
      opened.push(offset);
      for (let at = offset; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
    },
  };
}

/** What a promise is rejected with. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}
