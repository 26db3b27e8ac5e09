import { TsbuildError } from "../../store/errors.ts";
import { shellScript } from "../dockerfile/heredoc.ts";
import type { Run } from "../dockerfile/instruction.ts";
import type { NetworkMode } from "../options.ts";
import { commandArgs, shellArgs } from "./config.ts";
import { planMounts } from "./mounts.ts";
import type { FileOrigin, RunDocument, RunOperation } from "./operation.ts";
import { absolute } from "./paths.ts";
import { type ArgSources, expand } from "./scope.ts";
import type { StageState } from "./stage-state.ts";

/** What RUN steps of one build have in common. */
export interface RunOptions {
  readonly network: NetworkMode;
  /** No RUN has a network. */
  readonly hermetic: boolean;
  /** Absent: the sandbox's own. */
  readonly hostname?: string;
  readonly sources: ArgSources;
}

/** Plans a RUN. `origins`: what the from of each of its mounts means. */
export function planRun(
  instruction: Run,
  state: StageState,
  origins: readonly (FileOrigin | undefined)[],
  { network, hermetic, hostname, sources }: RunOptions,
): RunOperation {
  const { args, documents } = runCommand(instruction, state);
  const [first, ...rest] = args;
  if (first === undefined) throw new TsbuildError("EMPTY_COMMAND", "reading RUN: there is no command to run");
  const cwd = absolute("", state);
  const asked = instruction.network === undefined ? network : networkMode(instruction.network);
  if (hermetic && instruction.network === "host") {
    throw new TsbuildError("HERMETIC_NETWORK", "reading RUN --network=host: the build is hermetic, and its steps have no network", {
      hint: "take --network=host away, or build without --hermetic",
    });
  }
  return {
    op: "run",
    args: [first, ...rest],
    // Made when it is asked for: of very many steps with very many variables the records would be most of the plan.
    get env() {
      return state.scope.variables.record();
    },
    cwd,
    user: state.config.User ?? "",
    network: hermetic ? "none" : asked,
    security: instruction.security === "insecure" ? "insecure" : "sandbox",
    documents,
    mounts: planMounts(instruction, { origins, workingDirectory: cwd, expand: (word) => expand(word, state.scope, sources) }),
    ...(hostname === undefined ? {} : { hostname }),
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
