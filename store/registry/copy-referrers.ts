import type { Digest } from "../digest.ts";
import { NotFoundError, TsbuildError } from "../errors.ts";
import { copyToRegistry, type ToRegistryOptions } from "./copy-to-registry.ts";
import { type ImageGraph, type ImageReader, readGraph } from "./image-graph.ts";
import type { Repository } from "./repository.ts";

const maxReferrers = 1000;

/** Copies what refers to an image, to any of its platforms, or to such a referrer itself: signatures, SBOMs. Answers how many there were. */
export async function copyReferrers(
  graph: ImageGraph,
  from: Repository,
  reader: ImageReader,
  to: Repository,
  options: ToRegistryOptions,
): Promise<number> {
  const { signal } = options;
  const subjects = graph.documents.map(({ descriptor }) => descriptor.digest);
  const copied = new Set<Digest>(subjects);
  const before = copied.size;
  for (let subject = subjects.shift(); subject !== undefined; subject = subjects.shift()) {
    for (const referrer of await from.referrers(subject, { signal })) {
      if (copied.has(referrer.digest)) continue;
      if (copied.size - before >= maxReferrers)
        throw new TsbuildError("TOO_LARGE", `copying referrers of ${graph.root.descriptor.digest}: more than ${maxReferrers}`);
      const document = await reader.manifest(referrer, { signal });
      if (document === undefined) {
        throw new NotFoundError(`copying referrers of ${subject}: ${reader.label} lists ${referrer.digest}, which is not there`);
      }
      const own = await readGraph(reader, document, { signal });
      await copyToRegistry(own, reader, to, [], options);
      for (const { descriptor } of own.documents) copied.add(descriptor.digest);
      subjects.push(referrer.digest);
    }
  }
  return copied.size - before;
}
