import type { Platform } from "../../store/oci.ts";
import type { Dockerfile } from "../dockerfile/instruction.ts";
import type { PlannedImage, PlannedStage } from "../plan/stages.ts";

/** Everything that checks depend on. */
export interface CheckInput {
  readonly dockerfile: Dockerfile;
  readonly buildArgs: Readonly<Record<string, string>>;
  /** What is built for. */
  readonly platform: Platform;
  /** The value of TARGETSTAGE; absent: the last stage. */
  readonly target?: string;
  /** The stages that are built, each behind its base. Rules that need no more than the text look at the others too. */
  readonly stages: readonly PlannedStage[];
  /** By imageKey, as far as they are known. Rules that need a base's configuration keep silent where it is not. */
  readonly images: ReadonlyMap<string, PlannedImage>;
  /** The ignore file of the build context; absent: there is none. */
  readonly ignore?: { readonly file: string; readonly text: string };
}
