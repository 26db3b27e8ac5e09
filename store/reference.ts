import { type Digest, isDigest } from "./digest.ts";
import { TsbuildError } from "./errors.ts";

/** A normalised image name: where it belongs, which repository, which version (distribution reference grammar). */
export interface Reference {
  /** "docker.io", "host:5000". */
  readonly registry: string;
  /** "library/debian". */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

const defaultRegistry = "docker.io";
const officialPrefix = "library/";
const defaultTag = "latest";

const hostForm =
  /^(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*)(?::([0-9]+))?$/;
const largestPort = 65_535;
const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tagForm = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const maxNameLength = 255;

/**
 * Reads a name as Docker does: `app` is docker.io/library/app:latest; the first component is a registry when it holds a dot or a
 * colon or is "localhost". Without tag and digest the tag is "latest". Throws INVALID_REFERENCE.
 */
export function parseReference(text: string): Reference {
  if (/^[0-9a-f]{64}$/.test(text)) throw invalid(text, "64 hex digits are an image id, not a name");
  if (text.includes("://")) throw isUrl(text);
  const { name, tag, digest } = split(text);
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const hasRegistry = isReadAsHost(first);
  const rest = hasRegistry ? name.slice(slash + 1) : name;
  const named = hasRegistry ? first : defaultRegistry;
  const registry = /^(?:index\.)?docker\.io$/i.test(named) ? defaultRegistry : named;
  if (!isRegistryHost(registry)) throw invalid(text, `"${registry}" is no registry host`);
  const repository = registry === defaultRegistry && !rest.includes("/") ? officialPrefix + rest : rest;
  for (const part of rest.split("/")) checkComponent(text, part);
  if (registry.length + 1 + repository.length > maxNameLength) throw invalid(text, `longer than ${maxNameLength} characters`);
  const version = tag ?? (digest === undefined ? defaultTag : undefined);
  return { registry, repository, ...(version !== undefined && { tag: version }), ...(digest !== undefined && { digest }) };
}

/** Whether a text is "host" or "host:port" that a URL can hold: a name, an IPv4 address of four numbers, or an IPv6 address in brackets. */
export function isRegistryHost(text: string): boolean {
  const [, name = "", port = "1"] = hostForm.exec(text) ?? [];
  if (name === "" || Number(port) < 1 || Number(port) > largestPort) return false;
  const last = name.slice(name.lastIndexOf(".") + 1);
  // What ends in a number is an address (URL Standard, "ends in a number checker"); of its many forms only the common one is let in, as "0177.1" is this machine too.
  if (/^(?:[0-9]+|0x[0-9a-f]*)$/i.test(last)) return isAddress(name);
  // Rare: names of other alphabets, IPv6.
  return !/^\[|xn--/i.test(name) || URL.canParse(`https://${name}`);
}

/** Whether the first component of a name with several is its registry. */
export function isReadAsHost(component: string): boolean {
  return component === "localhost" || /[.:]/.test(component) || component !== component.toLowerCase();
}

/** Whether a text can stand between "/" in a repository's name. */
export function isComponent(text: string): boolean {
  return component.test(text);
}

/** Whether a text can be a tag: 1–128 characters of the tag grammar. */
export function isTag(text: string): boolean {
  return tagForm.test(text);
}

function isAddress(name: string): boolean {
  const numbers = name.split(".");
  return numbers.length === 4 && numbers.every((number) => /^(?:0|[1-9][0-9]{0,2})$/.test(number) && Number(number) <= 255);
}

function split(text: string): { name: string; tag?: string; digest?: Digest } {
  const at = text.indexOf("@");
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) throw invalid(text, `"${digest}" is not sha256:<64 hex digits>`);
  const rest = at < 0 ? text : text.slice(0, at);
  const colon = rest.lastIndexOf(":");
  const slash = rest.lastIndexOf("/");
  const hasTag = colon > slash;
  const firstColon = rest.indexOf(":", slash + 1);
  if (hasTag && firstColon < colon) throw invalid(text, `the tag "${rest.slice(firstColon + 1)}" cannot hold ":"`);
  const tag = hasTag ? rest.slice(colon + 1) : undefined;
  if (tag !== undefined && !isTag(tag)) {
    throw invalid(text, `the tag "${tag}" must be 1–128 of letters, digits, "_", "." and "-", not beginning with "." or "-"`);
  }
  return {
    name: hasTag ? rest.slice(0, colon) : rest,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
  };
}

function checkComponent(text: string, part: string): void {
  if (component.test(part)) return;
  if (part === "") throw invalid(text, text === "" ? "it is empty" : "a part of the name is empty");
  if (component.test(part.toLowerCase())) throw invalid(text, `"${part}" must be lower case`, `try "${part.toLowerCase()}"`);
  throw invalid(text, `"${part}" must be lower-case letters and digits, separated by ".", "_", "__" or dashes`);
}

/** A pasted address, which may hold a password: no more of it is shown than could be the name. */
function isUrl(text: string): TsbuildError {
  const [, scheme = "", rest = ""] = /^(.*?:\/\/)(?:[^/@]*@(?!sha256:))?([^?#]*)/s.exec(text) ?? [];
  const name = rest.replace(/\/+$/, "");
  return invalid(scheme + rest, "it is a URL", name === "" ? undefined : `write ${name}`);
}

function invalid(text: string, why: string, hint?: string): TsbuildError {
  return new TsbuildError("INVALID_REFERENCE", `reading the image name "${text}": ${why}`, hint === undefined ? {} : { hint });
}

/** "docker.io/library/app:latest": what annotations and caches hold. */
export function fullName({ registry, repository, tag, digest }: Reference): string {
  return `${registry}/${repository}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

/** The shortest text that means the same: "app", "app:v1", "host:5000/x/app:v1". */
export function familiarName(reference: Reference): string {
  const { registry, repository, tag, digest } = reference;
  const short =
    registry !== defaultRegistry
      ? `${registry}/${repository}`
      : repository.startsWith(officialPrefix) && !repository.slice(officialPrefix.length).includes("/")
        ? repository.slice(officialPrefix.length)
        : repository;
  const shownTag = tag === undefined || (tag === defaultTag && digest === undefined) ? "" : `:${tag}`;
  return `${short}${shownTag}${digest === undefined ? "" : `@${digest}`}`;
}

/** "scratch" begins a Dockerfile's stage without an image: no registry is asked for it. Throws INVALID_REFERENCE. */
export function refuseScratch({ registry, repository }: Reference): void {
  if (registry !== defaultRegistry || repository !== `${officialPrefix}scratch`) return;
  throw invalid("scratch", "scratch is not an image", "only FROM scratch has a meaning: a stage that begins with no files");
}

/** Whether both name the same repository, whatever the version. */
export function sameRepository(a: Reference, b: Reference): boolean {
  return a.registry === b.registry && a.repository === b.repository;
}
