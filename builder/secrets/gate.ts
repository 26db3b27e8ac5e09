import { type ByteString, bufferOf, bytesFrom, type PatternSet } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../../store/errors.ts";
import type { TreeEntry } from "../../store/layer/entry.ts";
import { quotePath } from "../../store/layer/entry-path.ts";
import { masked } from "./mask.ts";
import type { SecretPattern } from "./secret-patterns.ts";
import type { Secret, Secrets } from "./secrets.ts";

/** Something that became part of an image, and holds a secret. */
export interface Leak {
  readonly id: string;
  /** What has it: never with the secret in it. */
  readonly place: string;
  readonly form: string;
}

/** A finished layer that nobody has seen yet. */
export interface PackedLayer {
  readonly entries: readonly TreeEntry[];
  /** Path of its plain tar. */
  readonly tar: string;
}

/** One is enough to fail; more help to find where it comes from. */
const mostLeaks = 100;
const shownLeaks = 5;

type Patterns = PatternSet<SecretPattern>;

/**
 * Looks for secrets in what a layer adds: contents, paths, targets of links, extended attributes. Contents are looked through in the tar, in one pass. What is compressed, encrypted or
 * taken apart is not found.
 */
export async function leaksInLayer({ entries, tar }: PackedLayer, patterns: Patterns, signal?: AbortSignal): Promise<readonly Leak[]> {
  const names = entries.flatMap((entry) =>
    leaksInTexts(namesOf(entry), () => `the name or an attribute of ${shownPath(entry.path, patterns)}`, patterns),
  );
  const found = await patterns.searchFile(tar, mostLeaks, signal);
  const files = entries.filter((entry) => entry.kind === "file").sort((a, b) => a.offset - b.offset);
  const contents = found.flatMap(({ begin, pattern: { id, form } }) => {
    const file = files.findLast(({ offset }) => offset <= begin);
    // Elsewhere in the tar there are names, which are looked at above.
    if (file === undefined || begin >= file.offset + file.size) return [];
    return [{ id, form, place: shownPath(file.path, patterns) }];
  });
  return distinct([...contents, ...names]);
}

/** The same of the configuration of an image, or of a step: of all texts in it. */
export function leaksInTree(tree: unknown, name: string, patterns: Patterns): readonly Leak[] {
  const leaks: Leak[] = [];
  const look = (value: unknown, place: string): void => {
    if (typeof value === "string") leaks.push(...leaksInTexts([Buffer.from(value)], () => place, patterns));
    else if (Array.isArray(value)) for (const [i, item] of value.entries()) look(item, `${place}[${i}]`);
    else if (typeof value === "object" && value !== null) {
      for (const [key, item] of Object.entries(value)) {
        leaks.push(...leaksInTexts([Buffer.from(key)], () => `a name in ${place}`, patterns));
        look(item, `${place}.${masked(Buffer.from(key), patterns).toString("utf8")}`);
      }
    }
  };
  look(tree, name);
  return distinct(leaks);
}

/** Throws SECRET_IN_IMAGE for what may not be in an image; says what may be, though it is strange. */
export function refuseLeaks(
  leaks: readonly Leak[],
  secrets: readonly Secret[],
  allowed: Secrets,
  onWarning: (message: string) => void,
): void {
  const bad = badLeaks(leaks, secrets, allowed);
  for (const leak of leaks) if (!bad.includes(leak)) onWarning(`the image holds the secret ${leakText(leak)}`);
  const [first] = bad;
  if (first === undefined) return;
  throw new TsbuildError("SECRET_IN_IMAGE", `looking for secrets in the image: ${leakTexts(bad)}`, {
    hint: `whoever has the image could read it: let the step leave nothing of it behind, or allow it with --allow-secret-in-image ${first.id}`,
  });
}

/** Those that may not be. */
export function badLeaks<L extends Leak>(leaks: readonly L[], secrets: readonly Secret[], allowed: Secrets): readonly L[] {
  const isHarmless = ({ id }: L) => allowed.isAllowed(id) || secrets.some((secret) => secret.id === id && secret.isPublic);
  return leaks.filter((leak) => !isHarmless(leak));
}

/** The first of them. */
export function leakTexts(leaks: readonly Leak[]): string {
  const shown = leaks.slice(0, shownLeaks).map(leakText);
  return `${shown.join("; ")}${leaks.length > shown.length ? `, and ${leaks.length - shown.length} more` : ""}`;
}

export function leakText({ id, place, form }: Leak): string {
  return `${JSON.stringify(id)}: ${place} has ${form}`;
}

function namesOf(entry: TreeEntry): readonly Buffer[] {
  const texts: ByteString[] = [entry.path];
  if (entry.kind === "symlink" || entry.kind === "hardlink") texts.push(entry.target);
  if ("xattrs" in entry) for (const [name, value] of Object.entries(entry.xattrs ?? {})) texts.push(name as ByteString, value);
  return texts.map(bufferOf);
}

function leaksInTexts(texts: readonly Buffer[], place: () => string, patterns: Patterns): readonly Leak[] {
  return texts.flatMap((text) => patterns.find(text, true).matches.map(({ pattern: { id, form } }) => ({ id, form, place: place() })));
}

/** The secret may be part of it. */
export function shownPath(path: ByteString, patterns: Patterns): string {
  return quotePath(bytesFrom(masked(bufferOf(`/${path}` as ByteString), patterns)));
}

/** Each place once for a secret, whatever of it is there. */
export function distinct(leaks: readonly Leak[]): readonly Leak[] {
  return [...new Map(leaks.map((leak) => [JSON.stringify([leak.id, leak.place]), leak])).values()];
}
