import type { Abortable } from "../file-bytes.ts";
import { openAuthorizer } from "./authorizer.ts";
import { type Call, openCaller } from "./call.ts";
import type { Credential } from "./credential.ts";
import { restated } from "./doing.ts";
import type { Endpoint } from "./endpoint.ts";
import { RegistryError } from "./registry-error.ts";
import type { TokenTransport } from "./token.ts";

/** What came of showing a credential to a registry. */
export interface LoginCheck {
  /** The registry let us in without asking who we are: nothing is known of the credential. */
  readonly open: boolean;
  /** What to keep: an identity token where the registry gave one in place of the password. */
  readonly keep: Exclude<Credential, { kind: "bearer" }>;
}

const hint = "check the name and the password; with two-factor login, registries want an access token in place of the password";

/**
 * Shows a credential to a registry by asking for its root, /v2/, the way every other request goes: Basic, or Bearer by its token server. As `docker login` does, it
 * asks for an identity token, which can be revoked and is not the account's password. Throws RegistryError: REGISTRY_DENIED when it is refused.
 */
export async function checkLogin(
  { http, retry, settings }: TokenTransport,
  endpoint: Endpoint,
  credential: { readonly username: string; readonly password: string },
  { signal }: Abortable = {},
): Promise<LoginCheck> {
  const shown: Credential = { kind: "basic", username: credential.username, password: credential.password };
  let asked = false;
  let identityToken: string | undefined;
  const authorizer = openAuthorizer({
    http,
    retry,
    settings,
    credentials: {
      find: async () => {
        asked = true;
        return shown;
      },
    },
    onIdentityToken: (token) => {
      identityToken = token;
    },
  });
  const call: Call = { doing: `logging in to ${endpoint.registry}`, method: "GET", target: "", scopes: [], expect: [200], signal };
  try {
    const response = await openCaller({ http, authorizer, retry }).call(endpoint, call);
    await response.discard();
  } catch (error) {
    throw error instanceof RegistryError && error.code === "REGISTRY_DENIED" ? restated(error, error.message, { hint }) : error;
  }
  return { open: !asked, keep: identityToken === undefined ? shown : { kind: "identity", token: identityToken } };
}
