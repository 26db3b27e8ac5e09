import { IntegrityError, TsbuildError } from "../errors.ts";
import type { Abortable } from "../file-bytes.ts";
import { restated } from "./doing.ts";
import type { Endpoint } from "./endpoint.ts";
import { RegistryError } from "./registry-error.ts";
import type { RepositoryContext } from "./repository-context.ts";

/** What a mirror could not give. */
export interface MirrorFailure {
  readonly endpoint: Endpoint;
  readonly error: unknown;
}

/** The servers to be asked, in order; the registry itself is always the last. */
export function serversToAsk({ endpoints, failedMirrors }: RepositoryContext): readonly Endpoint[] {
  return endpoints.reading.filter(
    (endpoint) => endpoint.mirrorOf === undefined || !(failedMirrors.has(endpoint.origin) || failedMirrors.has(repositoryAt(endpoint))),
  );
}

/**
 * Asks one server after another until one has it. Undefined when the registry itself has none. A mirror's failure only leads to the next server; the
 * registry's own is thrown, with a hint of what the mirrors said.
 */
export async function askServers<T>(
  context: RepositoryContext,
  ask: (endpoint: Endpoint) => Promise<T | undefined>,
  options: Abortable = {},
): Promise<T | undefined> {
  const failures: MirrorFailure[] = [];
  for (const endpoint of serversToAsk(context)) {
    try {
      const answer = await ask(endpoint);
      if (answer !== undefined) return answer;
    } catch (error) {
      if (!isMirrorFailure(endpoint, error, options)) throw withMirrorFailures(error, failures);
      noteMirrorFailure(context, { endpoint, error });
      failures.push({ endpoint, error });
    }
  }
  return undefined;
}

/** Whether an error is a mirror's alone, so that the next server is asked. */
export function isMirrorFailure(endpoint: Endpoint, error: unknown, { signal }: Abortable): boolean {
  return endpoint.mirrorOf !== undefined && error instanceof TsbuildError && signal?.aborted !== true;
}

/**
 * Remembers a mirror that is worth no more requests in this process: the whole of it when it cannot be reached or fails after all tries, the repository there when it
 * sends something else than was asked for. Absence and refusals do not count.
 */
export function noteMirrorFailure({ failedMirrors }: RepositoryContext, { endpoint, error }: MirrorFailure): void {
  if (error instanceof IntegrityError) failedMirrors.add(repositoryAt(endpoint));
  if (!(error instanceof RegistryError)) return;
  if (error.code === "REGISTRY_PROTOCOL") failedMirrors.add(repositoryAt(endpoint));
  const down = ["REGISTRY_UNREACHABLE", "REGISTRY_TLS", "REGISTRY_RATE_LIMITED"].includes(error.code) || (error.status ?? 0) >= 500;
  if (down) failedMirrors.add(endpoint.origin);
}

/** The registry's error, saying in its hint why no mirror could help. */
export function withMirrorFailures(error: unknown, failures: readonly MirrorFailure[]): unknown {
  if (!(error instanceof RegistryError) || failures.length === 0) return error;
  const said = failures.map(({ endpoint, error: cause }) => `the mirror ${endpoint.registry} failed too: ${reasonOf(cause)}`);
  const hint = [...(error.hint === undefined ? [] : [error.hint]), ...said].join("; ");
  return restated(error, error.message, { hint });
}

function reasonOf(error: unknown): string {
  return error instanceof TsbuildError ? error.message : String(error);
}

function repositoryAt({ origin, repository }: Endpoint): string {
  return `${origin}/${repository}`;
}
