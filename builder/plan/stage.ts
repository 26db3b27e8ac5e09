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

/** Half of what a config may have when an image is read: the other half is for the config itself, and for characters of several bytes. */
const maxWritten = maxConfigBytes / 2;

/** Plans a stage on top of what its base comes to: the base's triggers, then its own instructions. Pure. */
export function planWork(dockerfile: Dockerfile, stage: PlannedStage, base: StageState, options: WorkOptions): PlannedWork {
  const steps: PlannedStep[] = [];
  const history: PlannedHistory[] = [];
  let state = base;
  let written = 0;
  /** What instructions write into the config is in their history texts too, but for triggers. */
  const count = (text: string): void => {
    const before = written;
    written += text.length;
    if (written <= maxWritten || before > maxWritten) return;
    throw new TsbuildError("TOO_LARGE", `planning the stage: its configuration and history have more than ${maxWritten} characters`, {
      hint: "no image may have a larger configuration: see which values are that long",
    });
  };
  const plan = (instruction: StageInstruction, ofImage: boolean): void => {
    const origins = stage.origins.get(instruction) ?? [];
    switch (instruction.keyword) {
      case "RUN": {
        const operation = planRun(instruction, state, origins, options);
        steps.push({ instruction, operation });
        const values = [...state.scope.args.keys()].map((name) => [name, state.scope.variables.get(name) ?? ""] as const);
        history.push({ createdBy: runHistory(operation.args, values), layer: true });
        return;
      }
      case "COPY":
      case "ADD": {
        const { operation, createdBy } = planCopy(instruction, state, origins[0] ?? { from: "context" }, options.sources);
        steps.push({ instruction, operation: ofImage ? namedByImage(operation) : operation });
        history.push({ createdBy, layer: true });
        return;
      }
      case "WORKDIR": {
        const written = joinedWorkdir(expand(instruction.value, state.scope, options.sources), state);
        state = { ...state, config: { ...state.config, WorkingDir: written } };
        const path = posix.resolve("/", written);
        if (path !== "/") steps.push({ instruction, operation: { op: "workdir", path, user: state.config.User ?? "" } });
        history.push({ createdBy: `WORKDIR ${written}`, layer: path !== "/" });
        return;
      }
      default: {
        const applied = applyConfig(instruction, state, options.sources);
        state = applied.state;
        if (applied.createdBy !== undefined) history.push({ createdBy: applied.createdBy, layer: false });
      }
    }
    count(instruction.keyword === "ONBUILD" ? instruction.trigger : (history.at(-1)?.createdBy ?? ""));
  };
  const at = (instruction: StageInstruction, body: () => void): void =>
    void collecting(options.onError, dockerfile, instruction.range, body);
  for (const trigger of stage.triggers) at(trigger.instruction, () => inTrigger(trigger, () => plan(trigger.instruction, trigger.ofImage)));
  for (const instruction of stage.instructions) at(instruction, () => plan(instruction, false));
  return { steps, state, history };
}

/** As BuildKit writes it: an absolute path stays as it is, a relative one is joined to the one before and cleaned, and nothing is the one before. */
function joinedWorkdir(path: string, { config: { WorkingDir = "/" } }: StageState): string {
  if (path.startsWith("/")) return path;
  return path === "" && WorkingDir.startsWith("/") ? WorkingDir : posix.resolve("/", WorkingDir, path);
}
