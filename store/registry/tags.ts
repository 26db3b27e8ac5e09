import type { Abortable } from "../file-bytes.ts";
import { readPages } from "./pages.ts";
import { RegistryError } from "./registry-error.ts";
import { fullRepository, type RepositoryContext } from "./repository-context.ts";

// What ECR allows at most; who allows less sends less, who ignores it sends all.
const tagsPerPage = "1000";
const maxPageBytes = 32 * 1024 * 1024;

/** As Repository.tags: end-8a and end-8b. Asked of the registry itself: a mirror lists what it happens to have. */
export async function* listTags(context: RepositoryContext, options: Abortable = {}): AsyncGenerator<readonly string[], void, undefined> {
  const doing = `listing the tags of ${fullRepository(context)}`;
  const list = { doing, target: "tags/list", query: { n: tagsPerPage }, limitBytes: maxPageBytes, ...options };
  for await (const { bytes } of readPages(context, list)) {
    const tags = tagsOf(bytes, doing);
    if (tags.length > 0) yield tags;
  }
}

function tagsOf(bytes: Buffer, doing: string): readonly string[] {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString());
  } catch {
    throw new RegistryError("REGISTRY_PROTOCOL", `${doing}: the answer is no JSON`);
  }
  const tags = typeof json === "object" && json !== null && "tags" in json ? json.tags : undefined;
  // A Go program's empty list.
  if (tags === null) return [];
  if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === "string")) {
    throw new RegistryError("REGISTRY_PROTOCOL", `${doing}: the answer holds no list of tags`);
  }
  return tags;
}
