import { posix } from "node:path";
import { TsbuildError } from "../store/errors.ts";
import type { ContainerConfig } from "../store/oci.ts";
import { withRange } from "./dockerfile/errors.ts";
import { parseDockerfile } from "./dockerfile/parse.ts";
import { applyConfig } from "./plan/config.ts";
import type { ArgSources } from "./plan/scope.ts";
import { configOf, type StageState, stateOf } from "./plan/stage-state.ts";
import { writtenConfig } from "./plan/written-config.ts";

const sources: ArgSources = { escape: "\\", buildArgs: {}, globals: new Map(), platformArgs: {} };

/** As changedConfig, out of an empty one. */
export function configOfChanges(changes: readonly string[], origin: string): ContainerConfig {
  return changedConfig({}, changes, origin);
}

/**
 * The configuration that Dockerfile instructions make out of another, each a text of its own ("CMD [\"sh\"]"); those that change files are
 * refused. Throws DockerfileError(s), with `origin` as the file's name.
 */
export function changedConfig(from: ContainerConfig, changes: readonly string[], origin: string): ContainerConfig {
  let state: StageState = { ...stateOf(from), cmdIsOwn: true };
  for (const change of changes) {
    const dockerfile = parseDockerfile(`FROM scratch\n${change}\n`, origin);
    if (dockerfile.stages.length > 1) throw notAlone("FROM", origin);
    for (const instruction of dockerfile.stages.flatMap(({ instructions }) => instructions)) {
      state = withRange(dockerfile, instruction.range, () => {
        switch (instruction.keyword) {
          case "RUN":
          case "COPY":
          case "ADD":
          case "ARG":
          case "MAINTAINER":
            throw notAlone(instruction.keyword, origin);
          case "WORKDIR":
            return {
              ...state,
              config: { ...state.config, WorkingDir: posix.resolve("/", state.config.WorkingDir ?? "/", instruction.value) },
            };
          default:
            return applyConfig(instruction, state, sources).state;
        }
      });
    }
  }
  const { ArgsEscaped: _, ...config } = configOf(state);
  return writtenConfig(config);
}

function notAlone(keyword: string, origin: string): TsbuildError {
  return new TsbuildError("INVALID_CHANGE", `reading ${origin}: ${keyword} is not an instruction that can change a configuration alone`);
}
