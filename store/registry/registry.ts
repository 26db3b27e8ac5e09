import type { Reference } from "../reference.ts";
import { openAuthorizer } from "./authorizer.ts";
import { openCaller } from "./call.ts";
import { anonymous, type CredentialSource } from "./credential.ts";
import { endpointsFor } from "./endpoint.ts";
import { openHttp } from "./http.ts";
import { openRepository } from "./open-repository.ts";
import type { Repository } from "./repository.ts";
import { retryPolicy, withListener } from "./retry.ts";
import { defaultRegistrySettings, type RegistrySettings } from "./settings.ts";
import { slotsOfServers } from "./slots.ts";

export interface RegistryOptions {
  /** Absent: the defaults. */
  readonly settings?: RegistrySettings;
  /** Absent: anonymous. */
  readonly credentials?: CredentialSource;
  /** HTTP_PROXY, HTTPS_PROXY, NO_PROXY (either case) as curl reads them; loopback is never proxied. Absent: no proxy. */
  readonly proxy?: Readonly<Record<string, string | undefined>>;
  /** Value of User-Agent; absent: "tsbuild". */
  readonly userAgent?: string;
  /** Hears of requests that are repeated, of those that no transfer's own events tell: what failed, and when the next try is. */
  readonly onRetry?: (message: string) => void;
}

/** All registries, for as long as one command takes: connections, tokens and limits are shared by its repositories. */
export interface Registry extends AsyncDisposable {
  readonly settings: RegistrySettings;
  /** Costs nothing until it is used. */
  repository(reference: Pick<Reference, "registry" | "repository">): Repository;
  /** Ends all connections; what is under way fails. */
  close(): Promise<void>;
}

/** A mirror that hiccups gets one more chance; the next server waits. */
const mirrorAttempts = 2;

/** Opens nothing before a repository is used. The caller closes it. */
export function openRegistry(options: RegistryOptions = {}): Registry {
  const { settings = defaultRegistrySettings, credentials = anonymous, proxy = {}, userAgent, onRetry } = options;
  const http = openHttp({ settings, proxy, ...(userAgent === undefined ? {} : { userAgent }) });
  const retrying = withListener(retryPolicy(settings), onRetry);
  const mirrorRetrying = withListener(retryPolicy({ ...settings, attempts: Math.min(settings.attempts, mirrorAttempts) }), onRetry);
  const authorizer = openAuthorizer({ http, credentials, retry: retrying, settings });
  const caller = openCaller({ http, authorizer, retry: retrying, mirrorRetry: mirrorRetrying });
  const failedMirrors = new Set<string>();
  const slotsOf = slotsOfServers(settings.parallel);

  return {
    settings,
    repository(reference) {
      const endpoints = endpointsFor(reference, settings);
      return openRepository({ caller, retrying, mirrorRetrying, settings, endpoints, slotsOf, failedMirrors });
    },
    close: () => http.close(),
    [Symbol.asyncDispose]: () => http.close(),
  };
}
