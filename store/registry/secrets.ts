import { type Diagnostic, RegistryError } from "./registry-error.ts";

/** The failure with these secrets blotted out of the server's own words, should it have repeated what it was sent. */
export function withoutSecrets(error: RegistryError, secrets: readonly string[]): RegistryError {
  // Of a secret that holds another one the whole goes first. Very short ones would tear ordinary words apart and give themselves away.
  const sought = secrets.filter((secret) => secret.length >= 4).sort((a, b) => b.length - a.length);
  const clean = (text: string): string => sought.reduce((rest, secret) => rest.replaceAll(secret, "***"), text);
  const diagnostics = error.diagnostics.map((said): Diagnostic => ({ code: clean(said.code), message: clean(said.message) }));
  const said = error.diagnostics.flatMap(({ code, message }) => [code, message]).filter((text) => clean(text) !== text);
  if (said.length === 0) return error;
  const message = said.reduce((rest, text) => rest.replaceAll(text, clean(text)), error.message);
  const { code, status, retryable, retryAfterMs, hint } = error;
  return new RegistryError(code, message, { status, retryable, retryAfterMs, diagnostics, ...(hint === undefined ? {} : { hint }) });
}

/** What must not be repeated of an Authorization value: the token, or a Basic value and the password in it. */
export function secretsOf(authorization: string | undefined): readonly string[] {
  const [, scheme = "", value = ""] = /^(\S+) (.*)$/.exec(authorization ?? "") ?? [];
  if (scheme.toLowerCase() !== "basic") return value === "" ? [] : [value];
  const decoded = Buffer.from(value, "base64").toString("utf8");
  return [value, decoded, decoded.slice(decoded.indexOf(":") + 1)];
}
