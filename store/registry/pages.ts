import type { Abortable } from "../file-bytes.ts";
import { type Answer, readAnswer } from "./read-answer.ts";
import { RegistryError } from "./registry-error.ts";
import { pullScope, type RepositoryContext } from "./repository-context.ts";

/** How many pages of one list are read: far beyond what registries hold, and an end for one that never ends. */
export const maxPages = 10_000;

/** A list that comes in pages. */
export interface ListRequest extends Abortable {
  readonly doing: string;
  /** Of the first page, as Call.target and Call.query; each page names the next. */
  readonly target: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Statuses besides 200 that are an answer to the request for the first page. */
  readonly otherwise?: readonly number[];
  /** Of a page. */
  readonly limitBytes: number;
}

/** The pages, asked of the registry itself, each when the one before was taken. An answer of another status than 200 is the only one. */
export async function* readPages(context: RepositoryContext, list: ListRequest): AsyncGenerator<Answer, void, undefined> {
  const { writing } = context.endpoints;
  const { doing, target, query, otherwise = [], limitBytes, headers = {}, signal } = list;
  const guard = pageGuard(doing);
  const call = { doing, method: "GET", headers, scopes: pullScope(writing), signal } as const;
  let answer = await readAnswer(context, writing, { ...call, target, expect: [200, ...otherwise], ...(query && { query }) }, limitBytes);
  for (;;) {
    const { response } = answer;
    guard(response.url);
    yield answer;
    const next = response.status === 200 ? nextPage(response.headers("link"), response.url, doing) : undefined;
    if (next === undefined) return;
    answer = await readAnswer(context, writing, { ...call, target: next, expect: [200] }, limitBytes);
  }
}

/**
 * Where a list goes on: its Link header with rel="next" (RFC 8288), relative to the page. Throws REGISTRY_PROTOCOL for one that leads to another host,
 * where credentials have no business. Whether it says http or https does not matter: behind a proxy many registries do not know.
 */
export function nextPage(links: readonly string[], page: URL, doing: string): URL | undefined {
  const target = links.flatMap(linkValues).find(({ relations }) => relations.includes("next"))?.target;
  if (target === undefined) return undefined;
  const next = URL.canParse(target, page.href) ? new URL(target, page) : undefined;
  if (next === undefined || next.host !== page.host || !/^https?:$/.test(next.protocol)) {
    throw new RegistryError(
      "REGISTRY_PROTOCOL",
      `${doing}: the list goes on at ${next?.origin ?? "a place that is no URL"}, not at ${page.origin}`,
    );
  }
  const here = new URL(page.origin);
  here.pathname = next.pathname;
  here.search = next.search;
  return here;
}

interface LinkValue {
  readonly target: string;
  readonly relations: readonly string[];
}

function linkValues(header: string): LinkValue[] {
  const found: LinkValue[] = [];
  for (const [, target = "", parameters = ""] of header.matchAll(/<([^<>]*)>([^<]*)/g)) {
    const rel = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]+))/i.exec(parameters);
    found.push({ target, relations: (rel?.[1] ?? rel?.[2] ?? "").toLowerCase().split(/\s+/) });
  }
  return found;
}

/** Keeps a list from turning in a circle or never ending. */
export function pageGuard(doing: string): (page: URL) => void {
  const seen = new Set<string>();
  return (page) => {
    if (seen.has(page.href)) throw new RegistryError("REGISTRY_PROTOCOL", `${doing}: the list leads back to a page that was read`);
    seen.add(page.href);
    if (seen.size > maxPages) throw new RegistryError("REGISTRY_PROTOCOL", `${doing}: the list has more than ${maxPages} pages`);
  };
}
