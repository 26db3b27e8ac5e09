import { TsbuildError } from "../../store/errors.ts";
import type { ContainerConfig, Healthcheck } from "../../store/oci.ts";
import type { Command, Instruction } from "../dockerfile/instruction.ts";
import { parseExpose, parseStopSignal } from "../dockerfile/values.ts";
import { healthcheckHistory, quoteList } from "./history.ts";
import type { PersistentMap } from "./persistent-map.ts";
import { type ArgSources, declareArgs, expand, expandList } from "./scope.ts";
import { type Additions, type StageState, setEnv } from "./stage-state.ts";

/** The instructions that change the config and no file. */
export type ConfigInstruction = Exclude<Instruction, { readonly keyword: "FROM" | "RUN" | "COPY" | "ADD" | "WORKDIR" }>;

/** The words of a shell-form or exec-form command under the shell in force. */
export function commandArgs(command: Command, config: ContainerConfig): readonly string[] {
  return command.form === "exec" ? command.args : shellArgs(command.script, config);
}

export function shellArgs(script: string, config: ContainerConfig): readonly string[] {
  return [...(config.Shell ?? ["/bin/sh", "-c"]), script];
}

/** Applies one instruction. Pure; `createdBy` is its history text, absent where BuildKit writes none. */
export function applyConfig(
  instruction: ConfigInstruction,
  state: StageState,
  sources: ArgSources,
): { state: StageState; createdBy?: string } {
  const word = (text: string) => expand(text, state.scope, sources);
  const config = (change: Partial<ContainerConfig>): StageState => ({ ...state, config: { ...state.config, ...change } });
  const added = (change: Partial<Additions>): StageState => ({ ...state, added: { ...state.added, ...change } });
  switch (instruction.keyword) {
    case "ARG": {
      const { scope, texts } = declareArgs(instruction, state.scope, sources);
      return { state: { ...state, scope }, createdBy: `ARG ${texts.join(" ")}` };
    }
    case "ENV": {
      // All pairs see the values from before the instruction.
      const pairs = instruction.pairs.map(({ key, value }) => [word(key), word(value)] as const);
      const next = pairs.reduce((before, [name, value]) => setEnv(before, name, value), state);
      return { state: next, createdBy: `ENV ${pairs.map(([name, value]) => `${name}=${value}`).join(" ")}` };
    }
    case "LABEL": {
      const pairs = instruction.pairs.map(({ key, value }) => [word(key), word(value)] as const);
      return {
        state: added({ labels: pairs.reduce((labels, [name, value]) => labels.with(name, value), state.added.labels) }),
        createdBy: `LABEL ${pairs.map(([name, value]) => `${name}=${value}`).join(" ")}`,
      };
    }
    case "EXPOSE": {
      // BuildKit sorts the words before it expands them.
      const ports = [...instruction.values]
        .sort()
        .flatMap((value) => expandList(value, state.scope, sources))
        .flatMap((port) => parseExpose(port));
      return { state: added({ ports: withKeys(state.added.ports, ports) }), createdBy: `EXPOSE [${ports.join(" ")}]` };
    }
    case "VOLUME": {
      const volumes = instruction.values.map(word);
      if (volumes.includes("")) throw new TsbuildError("EMPTY_VALUE", "reading VOLUME: a path expands to nothing");
      return { state: added({ volumes: withKeys(state.added.volumes, volumes) }), createdBy: `VOLUME [${volumes.join(" ")}]` };
    }
    case "USER": {
      const user = word(instruction.value);
      return { state: config({ User: user }), createdBy: `USER ${user}` };
    }
    case "STOPSIGNAL": {
      const signal = parseStopSignal(word(instruction.value));
      return { state: config({ StopSignal: signal }), createdBy: `STOPSIGNAL ${signal}` };
    }
    case "MAINTAINER": {
      // The one instruction with a word that is taken as written.
      return { state: { ...state, author: instruction.value }, createdBy: `MAINTAINER ${instruction.value}` };
    }
    case "SHELL":
      return { state: config({ Shell: instruction.args }), createdBy: `SHELL [${instruction.args.join(" ")}]` };
    case "CMD": {
      const args = commandArgs(instruction.command, state.config);
      return { state: { ...config({ Cmd: args, ArgsEscaped: true }), cmdIsOwn: true }, createdBy: `CMD ${quoteList(args)}` };
    }
    case "ENTRYPOINT": {
      const args = commandArgs(instruction.command, state.config);
      const { Cmd, ...rest } = state.config;
      const next: ContainerConfig = { ...rest, Entrypoint: args, ...(state.cmdIsOwn && Cmd !== undefined ? { Cmd } : {}) };
      return { state: { ...state, config: next }, createdBy: `ENTRYPOINT ${quoteList(args)}` };
    }
    case "HEALTHCHECK": {
      const check = healthcheck(instruction);
      return { state: config({ Healthcheck: check }), createdBy: healthcheckHistory(check) };
    }
    case "ONBUILD": {
      const { triggers } = state.added;
      return { state: added({ triggers: triggers.with(`${triggers.size}`, instruction.trigger) }) };
    }
  }
}

function withKeys(map: PersistentMap<true>, keys: readonly string[]): PersistentMap<true> {
  return keys.reduce((all, key) => all.with(key, true), map);
}

function healthcheck(instruction: Extract<ConfigInstruction, { keyword: "HEALTHCHECK" }>): Healthcheck {
  if (instruction.command === undefined) return { Test: ["NONE"] };
  const { command, interval, timeout, startPeriod, startInterval, retries } = instruction;
  return {
    Test: command.form === "exec" ? ["CMD", ...command.args] : ["CMD-SHELL", command.script],
    ...(interval ? { Interval: interval } : {}),
    ...(timeout ? { Timeout: timeout } : {}),
    ...(startPeriod ? { StartPeriod: startPeriod } : {}),
    ...(startInterval ? { StartInterval: startInterval } : {}),
    ...(retries ? { Retries: retries } : {}),
  };
}
