import type { Abortable } from "../file-bytes.ts";
import type { Authorizer, Scope } from "./authorizer.ts";
import { doing, restated } from "./doing.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Http } from "./http.ts";
import type { HttpBody, HttpRequest, HttpResponse } from "./http-message.ts";
import { isRedirect, ownUrl, redirectTarget } from "./redirect.ts";
import { refusalHint } from "./refusal-hint.ts";
import { RegistryError } from "./registry-error.ts";
import { responseError } from "./response-error.ts";
import type { Retrying } from "./retry.ts";
import { secretsOf } from "./secrets.ts";

/** One request to a repository's API. */
export interface Call extends Abortable {
  /** What is being done, as errors begin: "pushing layer sha256:… to docker.io/library/app". */
  readonly doing: string;
  readonly method: HttpRequest["method"];
  /** Below /v2/<repository>/: "manifests/latest"; or a whole URL, e.g. the Location of an upload. "" is the API's root, /v2/. */
  readonly target: string | URL;
  /** Put behind what the target's query already holds. */
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: HttpBody;
  /** Each try has a connection of its own. */
  readonly alone?: boolean;
  readonly scopes: readonly Scope[];
  /** Statuses that are answers; every other one is thrown as a RegistryError. */
  readonly expect: readonly number[];
  /** Whether the caller deals with passing failures itself (uploads ask where they stand first). Absent: the call is repeated by the policy. */
  readonly once?: boolean;
  readonly onRetry?: (message: string) => void;
}

/** Requests that authorise themselves, follow redirects, and are repeated by the one policy. */
export interface Caller {
  /**
   * The answer, its body unread. Credentials go to the endpoint's own origin alone, whatever `target` or a redirect says.
   * Throws RegistryError, `signal.reason`, and what the body's source throws. Errors of the answer's body name what was being done, too.
   */
  call(endpoint: Endpoint, call: Call): Promise<HttpResponse>;
}

export interface CallerOptions {
  readonly http: Http;
  readonly authorizer: Authorizer;
  readonly retry: Retrying;
  /** Of requests to mirrors; absent: the same. */
  readonly mirrorRetry?: Retrying;
}

/** 401s that are answered with something better in one try: an expired token, then one with more scopes, and one to spare. */
const mostChallenges = 3;
const mostRedirects = 10;

export function openCaller({ http, authorizer, retry, mirrorRetry = retry }: CallerOptions): Caller {
  const request = async (endpoint: Endpoint, call: Call): Promise<HttpResponse> => {
    for (let challenges = 0; ; challenges += 1) {
      const { response, authorization, authorised } = await followed(endpoint, call);
      if (call.expect.includes(response.status)) return response;
      // Read in any case: it holds the registry's reasons, and its connection can be used again.
      const wwwAuthenticate = response.headers("www-authenticate");
      const answerContext = { registry: endpoint.registry, secrets: secretsOf(authorization) };
      const error = await responseError(response, answerContext, call.signal);
      // A challenge from elsewhere is not answered: its realm could be anybody's.
      if (error.code !== "REGISTRY_DENIED" || !authorised) throw error;
      const answer = { wwwAuthenticate, refused: authorization };
      const mayTryAgain = response.status === 401 && challenges < mostChallenges;
      if (mayTryAgain && (await authorizer.challenge(endpoint, call.scopes, answer, { signal: call.signal }))) continue;
      const sent = await authorizer.sent(endpoint, authorization, { signal: call.signal });
      throw restated(error, error.message, { hint: refusalHint(response.status, endpoint.registry, sent) });
    }
  };

  /** One request and its redirects. `authorised`: the answer is from where Authorization may be sent. */
  const followed = async (endpoint: Endpoint, call: Call) => {
    const { method, headers, body, alone, signal, scopes } = call;
    let url = callUrl(endpoint, call);
    let authorised = url.origin === endpoint.origin;
    const authorization = authorised ? await authorizer.authorization(endpoint, scopes, { signal }) : undefined;
    for (let redirects = 0; ; redirects += 1) {
      const sent = { ...headers, ...(authorised && authorization !== undefined && { authorization }) };
      const response = await http.request(endpoint, { method, url, headers: sent, body, alone, signal });
      if (!isRedirect(response.status) || call.expect.includes(response.status)) return { response, authorization, authorised };
      const target = redirectTarget(endpoint, method, response);
      await response.discard();
      if (redirects === mostRedirects)
        throw new RegistryError("REGISTRY_PROTOCOL", `more than ${mostRedirects} redirects, the last to ${target.host}`);
      // Once elsewhere, never again: what comes back from there is not ours to trust.
      authorised &&= target.origin === endpoint.origin;
      url = target;
    }
  };

  return {
    call: async (endpoint, call) => {
      const { signal, onRetry } = call;
      const attempt = async (): Promise<HttpResponse> => {
        try {
          return namingBody(await request(endpoint, call), call.doing);
        } catch (error) {
          throw doing(call.doing, error);
        }
      };
      return call.once === true ? attempt() : (endpoint.mirrorOf === undefined ? retry : mirrorRetry)(attempt, { signal, onRetry });
    },
  };
}

function callUrl(endpoint: Endpoint, { target, query = {} }: Call): URL {
  const whole = typeof target !== "string";
  const url = whole ? ownUrl(endpoint, target) : new URL(target === "" ? "/v2/" : `/v2/${endpoint.repository}/${target}`, endpoint.origin);
  // Mirrors of several registries ask for it (containerd's convention); others pass over it.
  const forMirror = endpoint.mirrorOf !== undefined && !whole ? { ns: endpoint.mirrorOf } : {};
  const added = new URLSearchParams({ ...query, ...forMirror }).toString();
  // As text: the query of an upload's Location must come back byte for byte.
  if (added !== "") url.search = url.search === "" ? added : `${url.search}&${added}`;
  return url;
}

/** The same answer; what its body throws begins with what was being done. */
function namingBody(response: HttpResponse, what: string): HttpResponse {
  const body: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => {
      const iterator = response.body[Symbol.asyncIterator]();
      return {
        next: () =>
          iterator.next().catch((error: unknown) => {
            throw doing(what, error);
          }),
        return: async () => (await iterator.return?.()) ?? { done: true, value: undefined },
      };
    },
  };
  return { ...response, body };
}
