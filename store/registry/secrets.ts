/** Takes secrets out of a text. */
export type Blot = (text: string) => string;

/** For the server's own words, should it have repeated what it was sent. A text must be whole: the beginning of a secret is not recognised. */
export function blotting(secrets: readonly string[]): Blot {
  // Of a secret that holds another one the whole goes first. Very short ones would tear ordinary words apart and give themselves away.
  const sought = secrets.filter((secret) => secret.length >= 4).sort((a, b) => b.length - a.length);
  return (text) => sought.reduce((rest, secret) => rest.replaceAll(secret, "***"), text);
}

/** What must not be repeated of an Authorization value: the token, or a Basic value and the password in it. */
export function secretsOf(authorization: string | undefined): readonly string[] {
  const [, scheme = "", value = ""] = /^(\S+) (.*)$/.exec(authorization ?? "") ?? [];
  if (scheme.toLowerCase() !== "basic") return value === "" ? [] : [value];
  const decoded = Buffer.from(value, "base64").toString("utf8");
  return [value, decoded, decoded.slice(decoded.indexOf(":") + 1)];
}
