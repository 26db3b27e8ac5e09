import { existsSync, statSync } from "node:fs";
import { TsbuildError } from "../../runtime-addon/index.ts";
import { parseReference, type Reference } from "../../store/reference.ts";
import { restated } from "../../store/registry/doing.ts";
import { RegistryError } from "../../store/registry/registry-error.ts";

/** Failures that a name may be to blame for, which meant something else to whoever typed it. */
const nameCodes: ReadonlySet<string> = new Set(["REGISTRY_UNREACHABLE", "REGISTRY_TLS", "REGISTRY_DENIED", "REGISTRY_NOT_FOUND"]);

/** What else a name as it was typed may have meant; undefined where that is clear. */
export type NameHint = (name: string) => string | undefined;

/** Does what goes by these names; an error that is about one of them gets a hint behind its own. */
export async function explainingNames<T>(names: readonly string[], hintFor: NameHint, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw withNameHint(error, names, hintFor);
  }
}

/** A name without a host is Docker Hub's, which not everyone has in mind. */
export function hubHint(name: string): string | undefined {
  const reference = referenceOf(name);
  if (reference?.registry !== "docker.io" || /^(?:index\.)?docker\.io\//.test(name)) return undefined;
  const prefix = `${reference.registry}/${reference.repository.startsWith("library/") && !name.startsWith("library/") ? "library/" : ""}`;
  return `${name} is ${prefix}${name}; with another registry: HOST/${name}`;
}

/** The same, and what is a path here. A path ends at its first colon, as in places of a copy. */
export function placeHint(place: string): string | undefined {
  const [path = ""] = place.split(":");
  if (!existsSync(path)) return hubHint(place);
  return statSync(path).isDirectory() ? `for the directory write oci:${place}` : `for the file write oci-archive:${place}`;
}

function withNameHint(error: unknown, names: readonly string[], hintFor: NameHint): unknown {
  if (!(error instanceof TsbuildError)) return error;
  const name = nameIn(error, names);
  const own = name === undefined ? undefined : hintFor(name);
  if (own === undefined) return error;
  const hint = error.hint === undefined ? own : `${error.hint}; ${own}`;
  if (error instanceof RegistryError) return restated(error, error.message, { hint });
  return new TsbuildError(error.code, error.message, { cause: error.cause, hint });
}

/** Which of the names an error is about: its repository's, as far as that is said, else its registry's. */
function nameIn(error: TsbuildError, names: readonly string[]): string | undefined {
  const { code, message } = error;
  if (code === "INVALID_REFERENCE") return names.find((name) => message.includes(`"${name}"`) && referenceOf(name) === undefined);
  if (!(error instanceof RegistryError) || !nameCodes.has(code)) return undefined;
  const known = names.flatMap((name) => {
    const reference = referenceOf(name);
    return reference !== undefined && message.includes(reference.registry) ? [{ name, repository: reference.repository }] : [];
  });
  return (known.find(({ repository }) => message.includes(repository)) ?? known[0])?.name;
}

function referenceOf(name: string): Reference | undefined {
  try {
    return parseReference(name);
  } catch (error) {
    if (error instanceof TsbuildError) return undefined;
    throw error;
  }
}
