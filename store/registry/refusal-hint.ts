import type { CredentialPlace } from "./credential.ts";

/** What a request showed of who we are. */
export type SentCredential =
  | { readonly kind: "none" }
  /** Also where only a token that was got with it went out. `place`: absent where its source does not say. */
  | { readonly kind: "some"; readonly place: CredentialPlace | undefined };

/** What a refusal may mean, and what helps: whose credentials it was that did not do, never what they are. `status` is the refusing server's. */
export function refusalHint(status: number | undefined, registry: string, sent: SentCredential): string {
  const login = `tsbuild login ${registry}`;
  if (sent.kind === "none") {
    return `no credentials were sent: ${login}; many registries answer so too when the repository does not exist`;
  }
  const { place } = sent;
  const what = `the credentials sent were ${place === undefined ? "the given ones" : placeText(place)}`;
  return status === 403
    ? `${what}: that account may not do this, its token may lack a scope for it, or the repository does not exist; another account: ${renewal(login, place)}`
    : `${what}, and may be wrong or expired: ${renewal(login, place)}`;
}

/** The same where a token server refuses the credentials themselves: without them it may let in whoever asks for no more than all may have. */
export function credentialHint(registry: string, sent: SentCredential): string {
  const hint = refusalHint(401, registry, sent);
  return sent.kind === "some" && sent.place?.isLogin === true ? `${hint}; or go on without them: tsbuild logout ${registry}` : hint;
}

function placeText({ where, helper }: CredentialPlace): string {
  return helper === undefined ? `those in ${where}` : `those of docker-credential-${helper}, which ${where} names`;
}

function renewal(login: string, place: CredentialPlace | undefined): string {
  // What login writes is looked at behind the variable only.
  if (place?.where.startsWith("$")) return `change ${place.where}, which counts before what tsbuild login keeps`;
  return place?.helper === undefined ? login : `${login}, or log in with the program that docker-credential-${place.helper} belongs to`;
}
