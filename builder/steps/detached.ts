import { parseChown } from "../dockerfile/values.ts";
import { baseChain } from "../plan/key.ts";
import type { CopyOperation } from "../plan/operation.ts";
import { resolveOwner } from "./passwd.ts";
import type { Files, StepContext } from "./step.ts";

const nothing: Files = { layers: [], chain: baseChain([]) };

/**
 * What COPY --link does: the same copy onto nothing. Its layer and its key know nothing of the layers below, which are not even looked at, unless the owner is
 * a name: that is looked up in them, and its numbers take its place.
 */
export async function detached(
  operation: CopyOperation,
  files: Files,
  context: StepContext,
): Promise<{ readonly operation: CopyOperation; readonly files: Files }> {
  const { chown } = operation;
  if (chown === undefined || isNumeric(chown)) return { operation, files: nothing };
  const { uid, gid } = await resolveOwner(await context.rootfs(files.layers), chown);
  return { operation: { ...operation, chown: `${uid}:${gid}` }, files: nothing };
}

/** Whether an owner is numbers alone. */
export function isNumeric(chown: string): boolean {
  const { user, group } = parseChown(chown);
  return typeof user === "number" && typeof group !== "string";
}
