import { TsbuildError } from "../../store/errors.ts";
import { isLoopback } from "../../store/registry/endpoint.ts";
import { isProxied, type ProxyVariables } from "../../store/registry/proxy.ts";
import type { RegistrySettings } from "../../store/registry/settings.ts";

/** What is sent along to a server, as its header Authorization has it. */
export interface Authorization {
  readonly header: string;
  /** In words of others the value as it was given, and as it is sent, become "***". */
  hide(text: string): string;
}

/** What a build's secrets say of the servers that it fetches from, by the names that BuildKit knows. */
export interface SourceCredentials {
  /** GIT_AUTH_HEADER.HOST, GIT_AUTH_TOKEN.HOST; where the caller or the Dockerfile itself names the host, also GIT_AUTH_HEADER and GIT_AUTH_TOKEN. Throws SECRET_INVALID. */
  git(remote: string, isNamed: boolean): Promise<Authorization | undefined>;
  /** HTTP_AUTH_TOKEN_HOST and HTTP_AUTH_HEADER_HOST. Throws SECRET_INVALID. */
  http(url: URL): Promise<Authorization | undefined>;
}

export interface CredentialSources {
  /** The value of a secret; undefined where none of that name was given. */
  readonly secret: (id: string) => Promise<Buffer | undefined>;
  readonly settings: Pick<RegistrySettings, "hosts">;
  readonly proxy: ProxyVariables;
  readonly onNote: (message: string) => void;
}

type Candidate = readonly [id: string, headerOf: (value: string) => string];

const asItIs = (value: string): string => value;
const bearer = (value: string): string => `Bearer ${value}`;
/** As GitHub wants its tokens; GitLab and others take any user name. */
const basic = (value: string): string => `Basic ${Buffer.from(`x-access-token:${value}`).toString("base64")}`;

/** The first that was given counts. What is not encrypted on its way goes without, but to this machine and, with no proxy between, where the settings allow it. */
export function sourceCredentials({ secret, settings, proxy, onNote }: CredentialSources): SourceCredentials {
  const first = async (url: URL, candidates: readonly Candidate[]): Promise<Authorization | undefined> => {
    for (const [id, headerOf] of candidates) {
      const value = await secret(id);
      if (value === undefined) continue;
      if (url.protocol === "https:" || isLoopback(url.host)) return authorization(id, value, headerOf);
      const trusted = settings.hosts[url.host]?.insecure === true;
      if (trusted && !isProxied(url, proxy)) return authorization(id, value, headerOf);
      onNote(
        `the secret ${JSON.stringify(id)} is not sent to ${url.host}: it would go over plain http${trusted ? " through a proxy" : ""}`,
      );
      return undefined;
    }
    return undefined;
  };
  return {
    async git(remote, isNamed) {
      if (!/^https?:/.test(remote)) return undefined;
      const url = new URL(remote);
      const named = (suffix: string): readonly Candidate[] => [
        [`GIT_AUTH_HEADER${suffix}`, asItIs],
        [`GIT_AUTH_TOKEN${suffix}`, basic],
      ];
      return first(url, [...named(`.${url.host}`), ...(isNamed ? named("") : [])]);
    },
    http: (url) =>
      first(url, [
        [`HTTP_AUTH_TOKEN_${url.hostname}`, bearer],
        [`HTTP_AUTH_HEADER_${url.hostname}`, asItIs],
      ]),
  };
}

function authorization(id: string, bytes: Buffer, headerOf: (value: string) => string): Authorization {
  const value = bytes.toString("utf8").trim();
  if (value === "" || /[^\x20-\x7e]/.test(value)) {
    throw new TsbuildError("SECRET_INVALID", `reading the secret ${JSON.stringify(id)}: it is no text that a header of http can have`);
  }
  const header = headerOf(value);
  const hidden = [header, header.slice(header.indexOf(" ") + 1), value];
  return { header, hide: (text) => hidden.reduce((shown, part) => shown.replaceAll(part, "***"), text) };
}
