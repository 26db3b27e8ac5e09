import { posix } from "node:path";
import { TsbuildError } from "../../store/errors.ts";
import { parseChmod } from "../dockerfile/chmod.ts";
import { DockerfileError, withRange } from "../dockerfile/errors.ts";
import { shellScript } from "../dockerfile/heredoc.ts";
import type { Copy, Dockerfile, Instruction, Run, SourceRange, Workdir } from "../dockerfile/instruction.ts";
import { parseChown } from "../dockerfile/values.ts";
import { expandDocument } from "../dockerfile/words.ts";
import type { NetworkMode } from "../options.ts";
import { applyConfig, commandArgs, shellArgs } from "./config.ts";
import { runHistory } from "./history.ts";
import type { CopyOperation, CopyOrigin, Operation, RunDocument, RunOperation } from "./operation.ts";
import { type ArgSources, expand } from "./scope.ts";
import type { PlannedHistory, StageState } from "./stage-state.ts";
import { findStage, type PlannedStage } from "./stages.ts";

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

export interface WorkOptions {
  readonly network: NetworkMode;
  readonly sources: ArgSources;
  /** Hears what is wrong with an instruction, which is then left out: whoever calls this throws it when all is planned. */
  readonly onError: (error: DockerfileError) => void;
}

/** Plans a stage on top of what its base comes to. Pure. */
export function planWork(dockerfile: Dockerfile, stage: PlannedStage, base: StageState, options: WorkOptions): PlannedWork {
  const steps: PlannedStep[] = [];
  const history: PlannedHistory[] = [];
  let state = base;
  for (const instruction of stage.stage.instructions) {
    collecting(options.onError, dockerfile, instruction.range, () => {
      switch (instruction.keyword) {
        case "RUN": {
          const operation = planRun(instruction, state, options);
          steps.push({ instruction, operation });
          const values = state.scope.args.map((name) => [name, state.scope.variables.get(name) ?? ""] as const);
          history.push({ createdBy: runHistory(operation.args, values), layer: true });
          return;
        }
        case "COPY":
        case "ADD": {
          const { operation, createdBy } = planCopy(dockerfile, instruction, stage, state, options.sources);
          steps.push({ instruction, operation });
          history.push({ createdBy, layer: true });
          return;
        }
        case "WORKDIR": {
          const path = workdirPath(instruction, state, options.sources);
          state = { ...state, config: { ...state.config, WorkingDir: path } };
          if (path !== "/") steps.push({ instruction, operation: { op: "workdir", path, user: state.config.User ?? "" } });
          history.push({ createdBy: `WORKDIR ${path}`, layer: path !== "/" });
          return;
        }
        default: {
          const applied = applyConfig(instruction, state, options.sources);
          state = applied.state;
          if (applied.createdBy !== undefined) history.push({ createdBy: applied.createdBy, layer: false });
        }
      }
    });
  }
  return { steps, state, history };
}

/** As withRange, with an error of the Dockerfile's handed over and not thrown. */
export function collecting(onError: (error: DockerfileError) => void, dockerfile: Dockerfile, range: SourceRange, body: () => void): void {
  try {
    withRange(dockerfile, range, body);
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw error;
    onError(error);
  }
}

function workdirPath(instruction: Workdir, state: StageState, sources: ArgSources): string {
  const path = expand(instruction.value, state.scope, sources);
  if (path === "") throw new TsbuildError("EMPTY_VALUE", `reading WORKDIR ${instruction.value}: the path expands to nothing`);
  return absolute(path, state);
}

/** Joins a path to the working directory, cleaned, without a trailing slash. */
function absolute(path: string, state: StageState): string {
  return posix.resolve("/", state.config.WorkingDir ?? "/", path);
}

function planRun(instruction: Run, state: StageState, options: WorkOptions): RunOperation {
  if (instruction.mounts.length > 0) throw unsupported("RUN --mount");
  if (instruction.security !== undefined && instruction.security !== "sandbox") throw unsupported(`RUN --security=${instruction.security}`);
  const { args, documents } = runCommand(instruction, state);
  const [first, ...rest] = args;
  if (first === undefined) throw new TsbuildError("EMPTY_COMMAND", "reading RUN: there is no command to run");
  const network = instruction.network === undefined ? options.network : networkMode(instruction.network);
  return {
    op: "run",
    args: [first, ...rest],
    env: Object.fromEntries(state.scope.variables),
    cwd: state.config.WorkingDir ?? "/",
    user: state.config.User ?? "",
    network,
    documents,
  };
}

/** A heredoc body that is a program of its own is put where no layer reaches; the shell starts it there. */
function runCommand({ command }: Run, { config }: StageState): { args: readonly string[]; documents: readonly RunDocument[] } {
  if (command.form === "exec") return { args: commandArgs(command, config), documents: [] };
  const shell = shellScript(command);
  if (shell.kind === "script") return { args: shellArgs(shell.script, config), documents: [] };
  const path = `/dev/pipes/${shell.name}`;
  return { args: shellArgs(path, config), documents: [{ path, content: shell.content }] };
}

function networkMode(text: string): NetworkMode {
  if (text === "default" || text === "none" || text === "host") return text;
  throw new TsbuildError("INVALID_VALUE", `reading RUN --network=${text}: expected default, none or host`);
}

function planCopy(
  dockerfile: Dockerfile,
  instruction: Copy,
  stage: PlannedStage,
  state: StageState,
  sources: ArgSources,
): { operation: CopyOperation; createdBy: string } {
  const { flags, keyword } = instruction;
  for (const [name, value] of Object.entries({
    parents: flags.parents,
    exclude: flags.exclude?.length,
    checksum: flags.checksum,
    "keep-git-dir": flags.keepGitDir,
  })) {
    if (value) throw unsupported(`${keyword} --${name}`);
  }
  const word = (text: string) => expand(text, state.scope, sources);
  const optional = (text: string | undefined) => (text === undefined || word(text) === "" ? undefined : word(text));
  const paths: string[] = [];
  const documents: { name: string; content: string }[] = [];
  for (const source of instruction.sources) {
    if (source.kind === "path") paths.push(word(source.path));
    else {
      const { name, content, expand: expands } = source.heredoc;
      documents.push({ name, content: expands ? expandDocument(content, (variable) => state.scope.variables.get(variable)) : content });
    }
  }
  for (const path of paths) refuseRemote(keyword, path);
  const target = word(instruction.target);
  const chown = optional(flags.chown);
  const chmod = optional(flags.chmod);
  // What is wrong with the words themselves shows before anything runs.
  if (chown !== undefined) parseChown(chown);
  if (chmod !== undefined) parseChmod(chmod);
  const operation: CopyOperation = {
    op: "copy",
    origin: copyOrigin(dockerfile, flags.from, stage),
    sources: paths.map(cleanSource),
    documents,
    target: copyTarget(target, state),
    unpack: flags.unpack ?? keyword === "ADD",
    link: flags.link ?? false,
    ...(chown === undefined ? {} : { chown }),
    ...(chmod === undefined ? {} : { chmod }),
  };
  const words = [
    keyword,
    ...(chown === undefined ? [] : [`--chown=${chown}`]),
    ...(chmod === undefined ? [] : [`--chmod=${chmod}`]),
    ...paths,
    ...documents.map(({ name }) => `<<${name}`),
    target,
  ];
  return { operation, createdBy: `${words.join(" ")} # buildkit` };
}

function copyOrigin(dockerfile: Dockerfile, from: string | undefined, stage: PlannedStage): CopyOrigin {
  if (from === undefined) return { from: "context" };
  const earlier = findStage(dockerfile, from, stage.index, true);
  return earlier === undefined ? { from: "image", image: from } : { from: "stage", stage: earlier };
}

/** Sources are cleaned to the origin's root: "/x", "./x/" and "../x" all mean "x" (COPY rules of the Dockerfile reference). */
function cleanSource(path: string): string {
  return posix.normalize(`/${path}`).replace(/^\/+|\/+$/g, "");
}

function copyTarget(target: string, state: StageState): string {
  const path = absolute(target, state);
  const isDirectory = target === "" || /(^|\/)\.?\.?\/?$/.test(target) || target.endsWith("/");
  return isDirectory && path !== "/" ? `${path}/` : path;
}

function refuseRemote(keyword: string, path: string): void {
  if (/^(https?|git|ssh):\/\//.test(path) || /^[\w.-]+@[\w.-]+:/.test(path)) {
    if (keyword === "COPY")
      throw new TsbuildError("INVALID_SOURCE", `reading COPY ${path}: COPY reads files only`, {
        hint: "use ADD for URLs and git repositories",
      });
    throw unsupported(`ADD of a URL or git repository (${path})`);
  }
}

function unsupported(what: string): TsbuildError {
  return new TsbuildError("UNSUPPORTED_FEATURE", `planning the build: ${what} is not supported by this version`);
}
