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

const host = /^(?:\[[0-9a-fA-F:]+\]|[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*)(?::[0-9]+)?$/;
const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tagForm = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const maxNameLength = 255;

/**
 * Reads a name as Docker does: `app` is docker.io/library/app:latest; the first component is a registry when it holds a dot or a
 * colon or is "localhost". Without tag and digest the tag is "latest". Throws INVALID_REFERENCE.
 */
export function parseReference(text: string): Reference {
  if (/^[0-9a-f]{64}$/.test(text)) throw invalid(text, "64 hex digits are an image id, not a name");
  const { name, tag, digest } = split(text);
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const hasRegistry = first === "localhost" || /[.:]/.test(first) || first !== first.toLowerCase();
  const rest = hasRegistry ? name.slice(slash + 1) : name;
  const named = hasRegistry ? first : defaultRegistry;
  const registry = named === "index.docker.io" ? defaultRegistry : named;
  if (!host.test(registry)) throw invalid(text, `"${registry}" is no registry host`);
  const repository = registry === defaultRegistry && !rest.includes("/") ? officialPrefix + rest : rest;
  for (const part of rest.split("/")) checkComponent(text, part);
  if (registry.length + 1 + repository.length > maxNameLength) throw invalid(text, `longer than ${maxNameLength} characters`);
  const version = tag ?? (digest === undefined ? defaultTag : undefined);
  return { registry, repository, ...(version !== undefined && { tag: version }), ...(digest !== undefined && { digest }) };
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
  if (tag !== undefined && !tagForm.test(tag)) {
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

/** Whether both name the same repository, whatever the version. */
export function sameRepository(a: Reference, b: Reference): boolean {
  return a.registry === b.registry && a.repository === b.repository;
}
