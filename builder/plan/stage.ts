import { posix } from "node:path";
import { TsbuildError } from "../../store/errors.ts";
import { maxConfigBytes } from "../../store/oci-parse.ts";
import { collecting, type DockerfileError } from "../dockerfile/errors.ts";
import type { Dockerfile, Instruction, StageInstruction } from "../dockerfile/instruction.ts";
import { applyConfig } from "./config.ts";
import { planCopy } from "./copy.ts";
import { runHistory } from "./history.ts";
import type { Operation } from "./operation.ts";
import { planRun, type RunOptions } from "./run.ts";
import { expand } from "./scope.ts";
import type { PlannedHistory, StageState } from "./stage-state.ts";
import type { PlannedStage } from "./stages.ts";
import { inTrigger, namedByImage } from "./triggers.ts";

/** One instruction that touches files. */
export interface PlannedStep {
  readonly instruction: Instruction;
  readonly operation: Operation;
}

/** A stage with everything expanded: what to do to files, in order, and what the config and history come to. */
export interface PlannedWork {
  readonly steps: readonly PlannedStep[];
  readonly state: StageState;
  readonly history: readonly PlannedHistory[];
}

export interface WorkOptions extends RunOptions {
  /** Hears what is wrong with an instruction, which is then left out: whoever calls this throws it when all is planned. */
  readonly onError: (error: DockerfileError) => void;
}

/** Plans a stage on top of what its base comes to: the base's triggers, then its own instructions. Pure. */
export function planWork(dockerfile: Dockerfile, stage: PlannedStage, base: StageState, options: WorkOptions): PlannedWork {
  const steps: PlannedStep[] = [];
  const history: PlannedHistory[] = [];
  let state = base;
  /** Characters, each of a byte at least, that the image's config will have. */
  let written = 0;
  const count = (characters: number): void => {
    written += characters;
    if (written <= maxConfigBytes) return;
    throw new TsbuildError("TOO_LARGE", `planning the stage: its configuration and history have more than ${maxConfigBytes} characters`, {
      hint: "no image may have a larger configuration: see which values are that long",
    });
  };
  const tell = (createdBy: string, layer: boolean): void => {
    history.push({ createdBy, layer });
    count(createdBy.length);
  };
  const plan = (instruction: StageInstruction, ofImage: boolean): void => {
    const origins = stage.origins.get(instruction) ?? [];
    switch (instruction.keyword) {
      case "RUN": {
        const operation = planRun(instruction, state, origins, options);
        steps.push({ instruction, operation });
        const values = [...state.scope.args.keys()].map((name) => [name, state.scope.variables.get(name) ?? ""] as const);
        tell(runHistory(operation.args, values), true);
        return;
      }
      case "COPY":
      case "ADD": {
        const { operation, createdBy } = planCopy(instruction, state, origins[0] ?? { from: "context" }, options.sources);
        steps.push({ instruction, operation: ofImage ? namedByImage(operation) : operation });
        tell(createdBy, true);
        return;
      }
      case "WORKDIR": {
        const written = joinedWorkdir(expand(instruction.value, state.scope, options.sources), state);
        state = { ...state, config: { ...state.config, WorkingDir: written } };
        const path = posix.resolve("/", written);
        if (path !== "/") steps.push({ instruction, operation: { op: "workdir", path, user: state.config.User ?? "" } });
        tell(`WORKDIR ${written}`, path !== "/");
        return;
      }
      default: {
        const applied = applyConfig(instruction, state, options.sources);
        state = applied.state;
        const { createdBy = "" } = applied;
        // The config itself has it besides the history, and a trigger alone.
        count(instruction.keyword === "ONBUILD" ? instruction.trigger.length : createdBy.length);
        if (createdBy !== "") tell(createdBy, false);
      }
    }
  };
  const at = (instruction: StageInstruction, body: () => void): void => {
    // One that no image can hold is told once, and what follows it adds nothing but work.
    if (written <= maxConfigBytes) collecting(options.onError, dockerfile, instruction.range, body);
  };
  for (const trigger of stage.triggers) at(trigger.instruction, () => inTrigger(trigger, () => plan(trigger.instruction, trigger.ofImage)));
  for (const instruction of stage.instructions) at(instruction, () => plan(instruction, false));
  return { steps, state, history };
}

/** As BuildKit writes it: an absolute path stays as it is, a relative one is joined to the one before and cleaned, and nothing is the one before. */
function joinedWorkdir(path: string, { config: { WorkingDir = "/" } }: StageState): string {
  if (path.startsWith("/")) return path;
  return path === "" && WorkingDir.startsWith("/") ? WorkingDir : posix.resolve("/", WorkingDir, path);
}
