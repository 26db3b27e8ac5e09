import type { Digest } from "../digest.ts";
import type { Scope } from "./authorizer.ts";
import type { Caller } from "./call.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Retrying } from "./retry.ts";
import type { RegistrySettings } from "./settings.ts";
import type { ServerSlots } from "./slots.ts";

/** What every operation on a repository needs. Shared by all repositories of a registry but for the endpoints. */
export interface RepositoryContext {
  readonly caller: Caller;
  readonly retrying: Retrying;
  /** Of mirrors: soon given up, as there is another server. */
  readonly mirrorRetrying: Retrying;
  readonly settings: RegistrySettings;
  readonly endpoints: {
    /** Mirrors first, the registry itself last. */
    readonly reading: readonly Endpoint[];
    /** The registry itself. */
    readonly writing: Endpoint;
  };
  /** Places for moving blobs from and to a server. */
  readonly slotsOf: (server: Endpoint) => ServerSlots;
  /** Mirrors that are not asked any more: they could not be reached, or sent something else than was asked for. */
  readonly failedMirrors: Set<string>;
}

export function retryingOf({ retrying, mirrorRetrying }: RepositoryContext, { mirrorOf }: Endpoint): Retrying {
  return mirrorOf === undefined ? retrying : mirrorRetrying;
}

/** "docker.io/library/debian". */
export function fullRepository({ endpoints: { writing } }: Pick<RepositoryContext, "endpoints">): string {
  return `${writing.registry}/${writing.repository}`;
}

/** As in "host/app:tag" or "host/app@sha256:…". */
export function referenceText(context: RepositoryContext, reference: string | Digest): string {
  return `${fullRepository(context)}${reference.includes(":") ? "@" : ":"}${reference}`;
}

export function pullScope(endpoint: Endpoint): readonly Scope[] {
  return [{ repository: endpoint.repository, actions: ["pull"] }];
}

export function pushScope(endpoint: Endpoint): readonly Scope[] {
  return [{ repository: endpoint.repository, actions: ["pull", "push"] }];
}
