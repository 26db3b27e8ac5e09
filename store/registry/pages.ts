import { RegistryError } from "./registry-error.ts";

/** How many pages of one list are read: far beyond what registries hold, and an end for one that never ends. */
export const maxPages = 10_000;

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
