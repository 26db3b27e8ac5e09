import type { Abortable } from "../file-bytes.ts";
import type { Descriptor } from "../oci.ts";
import { blobText } from "./blob-text.ts";
import { fullRepository, pullScope, type RepositoryContext } from "./repository-context.ts";

/** As Repository.hasBlob: HEAD of end-2. A registry that refuses the question has not said that the blob is there. */
export async function blobExists(
  context: RepositoryContext,
  target: Descriptor,
  options: Abortable & { readonly once?: boolean } = {},
): Promise<boolean> {
  const { writing } = context.endpoints;
  const response = await context.caller.call(writing, {
    doing: `looking for ${blobText(target)} in ${fullRepository(context)}`,
    method: "HEAD",
    target: `blobs/${target.digest}`,
    scopes: pullScope(writing),
    // A HEAD tells no reasons; whoever may not write is told so by the request that writes.
    expect: [200, 400, 403, 404, 405, 501],
    ...options,
  });
  await response.discard();
  const length = response.header("content-length");
  return response.status === 200 && (length === undefined || Number(length) === target.size);
}
