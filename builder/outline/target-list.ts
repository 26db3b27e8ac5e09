import { commentsOf, descriptionOf } from "../checks/comments.ts";
import type { Dockerfile, SourceRange } from "../dockerfile/instruction.ts";

/** A stage that can be a target. */
export interface ListedTarget {
  /** Lower case; absent for an unnamed stage. */
  readonly name?: string;
  /** What is built where no target is named. */
  readonly isDefault: boolean;
  /** Of a comment "# NAME text" above FROM. */
  readonly description?: string;
  /** As written. */
  readonly base: string;
  /** As written. */
  readonly platform?: string;
  readonly range: SourceRange;
}

/** The stages of a file, in order. Pure. */
export function listTargets(dockerfile: Dockerfile): readonly ListedTarget[] {
  const comments = commentsOf(dockerfile);
  return dockerfile.stages.map(({ from }, index) => {
    const name = from.stage?.toLowerCase();
    const description = name === undefined ? undefined : descriptionOf(name, comments(from));
    return {
      ...(name === undefined ? {} : { name }),
      isDefault: index === dockerfile.stages.length - 1,
      ...(description === undefined ? {} : { description }),
      base: from.image,
      ...(from.platform === undefined ? {} : { platform: from.platform }),
      range: from.range,
    };
  });
}
