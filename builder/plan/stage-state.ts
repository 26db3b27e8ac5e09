import type { ContainerConfig, HistoryEntry, ImageConfig, Platform } from "../../store/oci.ts";
import type { Scope } from "./scope.ts";

/** The search path of an image that sets none: what Docker gives. */
export const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What a stage has come to after some of its instructions, but for files. Immutable. */
export interface StageState {
  readonly config: ContainerConfig;
  readonly author?: string;
  readonly scope: Scope;
  /** A CMD of this very stage survives a later ENTRYPOINT; an inherited one does not. */
  readonly cmdIsOwn: boolean;
}

/** History of one instruction: `layer` says whether the step before it made one. */
export interface PlannedHistory {
  readonly createdBy: string;
  readonly layer: boolean;
}

/** What a stage starts from: scratch, an image, or an earlier stage's end. */
export interface BaseState {
  readonly state: StageState;
  /** History entries of the base image. */
  readonly history: readonly HistoryEntry[];
  /** What the base's config says it is for. */
  readonly platform: Platform;
}

/** The empty image is for whatever the build is for. */
export function scratchBase(platform: Platform): BaseState {
  return {
    state: withDefaultPath({ config: { WorkingDir: "/" }, scope: { variables: new Map(), args: [] }, cmdIsOwn: false }, platform.os),
    history: [],
    platform,
  };
}

/** A stage on an image sees the image's ENV; its ONBUILD triggers are not inherited. */
export function imageBase(image: ImageConfig): BaseState {
  const { OnBuild: _, ...config } = image.config ?? {};
  const variables = new Map((config.Env ?? []).map(splitVariable));
  const state: StageState = {
    config,
    scope: { variables, args: [] },
    cmdIsOwn: false,
    ...(image.author === undefined ? {} : { author: image.author }),
  };
  const { os, architecture, variant } = image;
  const platform = { os, architecture, ...(variant === undefined ? {} : { variant }) };
  return { state: withDefaultPath(state, os), history: image.history ?? [], platform };
}

/** A stage on a stage inherits ARGs too. Its triggers have fired or never will. */
export function stageBase(state: StageState): StageState {
  const { OnBuild: _, ...config } = state.config;
  return { ...state, config, cmdIsOwn: false };
}

export function setEnv(config: ContainerConfig, name: string, value: string): ContainerConfig {
  const entry = `${name}=${value}`;
  const env = config.Env ?? [];
  const start = `${name}=`;
  const at = env.findIndex((other) => other.startsWith(start) || other === name);
  return { ...config, Env: at < 0 ? [...env, entry] : env.with(at, entry) };
}

export function splitVariable(entry: string): readonly [string, string] {
  const at = entry.indexOf("=");
  return at < 0 ? [entry, ""] : [entry.slice(0, at), entry.slice(at + 1)];
}

/** Windows knows its own. */
function withDefaultPath(state: StageState, os: string): StageState {
  if (state.scope.variables.has("PATH") || os === "windows") return state;
  const variables = new Map(state.scope.variables).set("PATH", defaultPath);
  return { ...state, config: setEnv(state.config, "PATH", defaultPath), scope: { ...state.scope, variables } };
}
