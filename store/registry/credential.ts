import type { Abortable } from "../file-bytes.ts";

/** How to prove who one is at a registry host. */
export type Credential =
  | { readonly kind: "basic"; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token, as `docker login` keeps it for registries that give one. */
  | { readonly kind: "identity"; readonly token: string }
  /** A ready access token ("registrytoken"). */
  | { readonly kind: "bearer"; readonly token: string };

/** Where a credential is kept, as errors name it. */
export interface CredentialPlace {
  /** A path or "$VARIABLE". */
  readonly where: string;
  /** "pass" of docker-credential-pass, which `where` names for it; absent: it stands there itself. */
  readonly helper?: string;
  /** It stands in the file that login writes to, for all of the registry: logout takes it away. */
  readonly isLogin?: true;
}

/** Where credentials come from. Asked once for each repository, when its registry first wants to know; undefined means anonymous. */
export interface CredentialSource {
  /** `registry` as references name it ("docker.io", "host:5000"); `repository` for files that name credentials below a host. */
  find(registry: string, repository?: string, options?: Abortable): Promise<Credential | undefined>;
  /** Where `find` found it. Asked when it was refused. */
  placeOf?(registry: string, repository?: string, options?: Abortable): Promise<CredentialPlace | undefined>;
}

export const anonymous: CredentialSource = { find: async () => undefined };
