import type { ContainerConfig, HistoryEntry, ImageConfig, Platform } from "../../store/oci.ts";
import { PersistentMap } from "./persistent-map.ts";
import { type Scope, scopeOf, setVariable } from "./scope.ts";

/** The search path of an image that sets none: what Docker gives. */
export const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What a stage has come to after some of its instructions, but for files. Immutable. */
export interface StageState {
  /** The base's, and what instructions have set but for what is in `added`: configOf has all. */
  readonly config: ContainerConfig;
  readonly added: Additions;
  readonly author?: string;
  readonly scope: Scope;
  /** A CMD of this very stage survives a later ENTRYPOINT; an inherited one does not. */
  readonly cmdIsOwn: boolean;
}

/** What instructions have put into those fields of a config that grow with each. */
export interface Additions {
  readonly env: PersistentMap<string>;
  readonly labels: PersistentMap<string>;
  readonly ports: PersistentMap<true>;
  readonly volumes: PersistentMap<true>;
  /** By number. */
  readonly triggers: PersistentMap<string>;
}

const nothing: Additions = {
  env: PersistentMap.of(),
  labels: PersistentMap.of(),
  ports: PersistentMap.of(),
  volumes: PersistentMap.of(),
  triggers: PersistentMap.of(),
};

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
    state: withDefaultPath(stateOf({ WorkingDir: "/" }), platform.os),
    history: [],
    platform,
  };
}

/** A stage on an image sees the image's ENV; its ONBUILD triggers are not inherited. */
export function imageBase(image: ImageConfig): BaseState {
  const { OnBuild: _, ...config } = image.config ?? {};
  const state = { ...stateOf(config), ...(image.author === undefined ? {} : { author: image.author }) };
  const { os, architecture, variant } = image;
  const platform = { os, architecture, ...(variant === undefined ? {} : { variant }) };
  return { state: withDefaultPath(state, os), history: image.history ?? [], platform };
}

/** A stage on a stage inherits ARGs too. Its triggers have fired or never will. */
export function stageBase(state: StageState): StageState {
  const { OnBuild: _, ...config } = state.config;
  return { ...state, config, added: { ...state.added, triggers: PersistentMap.of() }, cmdIsOwn: false };
}

/** What a config comes to before any instruction. */
export function stateOf(config: ContainerConfig): StageState {
  return { config, added: nothing, scope: scopeOf((config.Env ?? []).map(splitVariable)), cmdIsOwn: false };
}

/** The whole config. */
export function configOf({ config, added: { env, labels, ports, volumes, triggers } }: StageState): ContainerConfig {
  const keys = (map: PersistentMap<true>) => Object.fromEntries([...map.keys()].map((key) => [key, {}]));
  return {
    ...config,
    ...(env.size === 0 ? {} : { Env: envWith(config.Env ?? [], env) }),
    ...(labels.size === 0 ? {} : { Labels: { ...config.Labels, ...Object.fromEntries(labels) } }),
    ...(ports.size === 0 ? {} : { ExposedPorts: { ...config.ExposedPorts, ...keys(ports) } }),
    ...(volumes.size === 0 ? {} : { Volumes: { ...config.Volumes, ...keys(volumes) } }),
    ...(triggers.size === 0 ? {} : { OnBuild: [...(config.OnBuild ?? []), ...[...triggers].map(([, trigger]) => trigger)] }),
  };
}

/** A variable that the list has is changed where it first stands. */
function envWith(list: readonly string[], added: PersistentMap<string>): readonly string[] {
  const left = new Map(added);
  const changed = list.map((entry) => {
    const [name] = splitVariable(entry);
    const value = left.get(name);
    return left.delete(name) ? `${name}=${value}` : entry;
  });
  return [...changed, ...[...left].map(([name, value]) => `${name}=${value}`)];
}

/** After ENV. */
export function setEnv(state: StageState, name: string, value: string): StageState {
  return { ...state, added: { ...state.added, env: state.added.env.with(name, value) }, scope: setVariable(state.scope, name, value) };
}

export function splitVariable(entry: string): readonly [string, string] {
  const at = entry.indexOf("=");
  return at < 0 ? [entry, ""] : [entry.slice(0, at), entry.slice(at + 1)];
}

/** Windows knows its own. */
function withDefaultPath(state: StageState, os: string): StageState {
  if (state.scope.variables.has("PATH") || os === "windows") return state;
  return setEnv(state, "PATH", defaultPath);
}
