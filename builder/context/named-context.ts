import type { ContextSource } from "../options.ts";
import type { PlanContext } from "../plan/stages.ts";
import { layoutName } from "./layout-name.ts";

/** What the contexts mean to the plan, by the same names. */
export function planContexts(named: Readonly<Record<string, ContextSource>>): Readonly<Record<string, PlanContext>> {
  return Object.fromEntries(Object.entries(named).map(([name, source]) => [name, planContext(source)]));
}

/** The image layouts among them, for the image finder. */
export function layoutsOf(named: Readonly<Record<string, ContextSource>>): ReadonlySet<string> {
  const sources = Object.values(named);
  return new Set(sources.flatMap((source) => (source.kind === "oci-layout" ? [layoutName(source.path, source.name)] : [])));
}

function planContext(source: ContextSource): PlanContext {
  switch (source.kind) {
    case "image":
      return isNothing(source) ? { kind: "files" } : { kind: "image", image: source.image };
    case "oci-layout":
      return { kind: "image", image: layoutName(source.path, source.name) };
    case "stage":
      return { kind: "stage", stage: source.stage };
    default:
      return { kind: "files" };
  }
}

/** docker-image://scratch: no image, but a context without files. */
export function isNothing(source: ContextSource): boolean {
  return source.kind === "image" && source.image === "scratch";
}
