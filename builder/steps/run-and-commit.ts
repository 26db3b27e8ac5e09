import { constants } from "node:os";
import { join } from "node:path";
import { SandboxError } from "../../runtime-addon/index.ts";
import type { Digest } from "../../store/digest.ts";
import { type PackedUpper, packedTar } from "../../store/directory-work.ts";
import { TsbuildError } from "../../store/errors.ts";
import { writerVersion } from "../../store/layer/tar-format.ts";
import type { OwnerMode } from "../../store/layer-directories.ts";
import type { Store } from "../../store/store.ts";
import type { Source } from "../dockerfile/errors.ts";
import type { Instruction } from "../dockerfile/instruction.ts";
import { fullStoreHint } from "../full-store-hint.ts";
import type { KeyTree } from "../plan/key.ts";
import type { RunOperation } from "../plan/operation.ts";
import type { EventSink, StepInfo } from "../progress/event.ts";
import { type ContainerSpec, type FinishedContainer, withContainer } from "../sandbox/container.ts";
import { keepFailed } from "../sandbox/keep-failed.ts";
import { type LimitHit, limitHit } from "../sandbox/limits-hit.ts";
import { type OutputTail, outputTail } from "../sandbox/output-tail.ts";
import { badLeaks, leaksInLayer } from "../secrets/gate.ts";
import { type MaskedStream, maskStream } from "../secrets/mask.ts";
import { type FailedStep, StepError } from "../step-error.ts";
import { failureHints } from "./failure-hint.ts";
import type { StepResources } from "./run-resources.ts";
import type { RunSettings } from "./run-settings.ts";
import { runSpec } from "./run-spec.ts";
import { createdAt, type Files, keyContext, type StepContext, type StepOutcome } from "./step.ts";
import type { StepSecrets } from "./step-secrets.ts";

/** The instruction as events and errors name it. */
export interface RunPlace {
  readonly info: StepInfo;
  readonly instruction: Instruction;
  readonly source: Source;
  readonly onEvent: EventSink;
  /** How many more RUN steps with a network of their own are likely to come next. Absent: none. */
  readonly following?: number;
}

const tailLines = 20;

const oneIdHint =
  "this sandbox has one user id only: a command that becomes another user (su, a service of its own) fails; give your user a range in /etc/subuid and /etc/subgid and install newuidmap (package uidmap); tsbuild info says what is missing, and the command for it";

/** Runs a step's command and records the layer that it makes, under the key for the owners that this machine can give. */
export async function runAndCommit(
  operation: RunOperation,
  files: Files,
  context: StepContext,
  settings: RunSettings,
  place: RunPlace,
  { mounts, secrets, cacheGate, env }: StepResources,
  keyFor: (owners: OwnerMode) => KeyTree,
): Promise<StepOutcome> {
  const tail = outputTail(tailLines);
  const streams = openStreams(tail, place, secrets);
  const output = (chunk: Uint8Array, stream: "stdout" | "stderr"): void => streams[stream].add(chunk);
  const endOutput = (): void => {
    for (const stream of Object.values(streams)) stream.end();
  };
  const spec = await runSpec(operation, files, context, settings, { mounts, env });
  const options = { signal: context.signal, now: context.now, onNote: settings.onNote, following: place.following ?? 0 };
  return withContainer(context.store, settings.host, spec, { stdin: "null", output }, options, async (finished) => {
    endOutput();
    const hit = limitHit(finished.result.usage, settings.limits);
    await refuseFailure(
      finished,
      { place, tail: tail.lines(), spec, operation, files, secrets, hit, signal: context.signal },
      context.store,
      settings,
    );
    // What the command does not care about may still be why something is missing.
    if (hit !== undefined) settings.onNote(`${place.info.title}: ${hit.what}: ${hit.hint}`);
    refuseWriters(finished, place);
    await cacheGate.refuse();
    return commit(finished, files, context, keyFor(finished.host.owners));
  }).catch((error: unknown) => {
    endOutput();
    throw asStepError(error, place);
  });
}

/** What the command writes, as everybody may see it. */
function openStreams(
  tail: OutputTail,
  { info, onEvent }: RunPlace,
  { hidden }: StepSecrets,
): Readonly<Record<"stdout" | "stderr", MaskedStream>> {
  const open = (stream: "stdout" | "stderr"): MaskedStream => {
    const show = (chunk: Uint8Array): void => {
      tail.add(chunk);
      onEvent({ type: "step-output", step: info.id, stream, chunk });
    };
    return hidden === undefined ? { add: show, end: () => undefined } : maskStream(hidden, show);
  };
  return { stdout: open("stdout"), stderr: open("stderr") };
}

interface Failing {
  readonly place: RunPlace;
  readonly tail: readonly string[];
  readonly spec: ContainerSpec;
  readonly operation: RunOperation;
  readonly files: Files;
  readonly secrets: StepSecrets;
  readonly hit: LimitHit | undefined;
  readonly signal: AbortSignal;
}

async function refuseFailure(
  finished: FinishedContainer,
  failing: Failing,
  store: Store,
  { keepFailed: keeper, secrets: allowed }: RunSettings,
): Promise<void> {
  const { place, tail, spec, operation, secrets, hit, signal } = failing;
  const { status } = finished.result;
  if ("code" in status && status.code === 0) return;
  const how =
    "code" in status ? ({ kind: "exit", code: status.code } as const) : ({ kind: "signal", signal: signalName(status.signal) } as const);
  const hint = hit?.hint ?? hintFor(finished, store.root);
  // A copy has no upper of its own that could be mounted again.
  const keeping = finished.host.form.root === "copy" || signal.aborted ? undefined : keeper;
  const leaked = keeping && (await secretLeft(finished, failing, allowed));
  const keep = (build: Digest) => keepFailed(store, finished, spec, operation, { title: place.info.title, build });
  const isKept = leaked === undefined && (await keeping?.(keep, signal)) === true;
  const shell = isKept ? "tsbuild shell opens a shell in the step as it failed" : leaked;
  const because = hit === undefined ? {} : { because: hit.what };
  const withoutSecrets = operation.mounts.flatMap((mount) => (mount.type === "secret" && secrets.of(mount) === undefined ? [mount] : []));
  const said = failureHints({ ...("code" in status ? { code: status.code } : {}), tail, withoutSecrets });
  const whole = [hint, ...said, shell].filter((one) => one !== undefined).join("; ");
  throw new StepError(failedStep(place), { ...how, ...because }, tail, {
    usage: finished.usage,
    isKept,
    ...(whole === "" ? {} : { hint: whole }),
  });
}

/** Why nothing of the step may stay in the store: what would be refused in an image. */
async function secretLeft(
  { host, directory, result, startedAtMs, endedAtMs }: FinishedContainer,
  { files, secrets: { hidden, all }, signal }: Failing,
  allowed: RunSettings["secrets"],
): Promise<string | undefined> {
  if (hidden === undefined) return undefined;
  const parents = files.layers.map(({ diffId }) => diffId);
  const tar = join(directory, packedTar);
  try {
    await host.work.pack({ directory, parents, owners: host.owners, startedAtMs, endedAtMs, created: result.created }, { signal });
    const found = await leaksInLayer({ entries: await host.work.packedEntries({ directory }), tar }, hidden, signal);
    const [first] = badLeaks(found, all, allowed);
    return first && `nothing of the step is kept for tsbuild shell: ${first.place} has the secret ${JSON.stringify(first.id)}`;
  } catch (error) {
    return `nothing of the step is kept for tsbuild shell: it cannot be searched for secrets (${(error as Error).message})`;
  } finally {
    await host.work.remove({ path: tar });
  }
}

/** What the command could not see of the reason, or says in words of its own. */
function hintFor({ host }: FinishedContainer, storeRoot: string): string | undefined {
  return fullStoreHint(storeRoot) ?? (host.owners === "flat" ? oneIdHint : undefined);
}

/** A descriptor that the command gave away (over a socket of the host's network) would change the layer after it is made. */
function refuseWriters({ result }: FinishedContainer, place: RunPlace): void {
  const unsealed = result.skipped.find(({ failure }) => failure?.op === "seal");
  if (unsealed === undefined) return;
  throw new TsbuildError("LAYER_BUSY", `${place.info.title}: a process outside of the step can still write to its files`, {
    cause: unsealed,
    hint: "the step passed an open file to another process; --network none prevents that",
  });
}

/** A command that could not be started fails as a shell would say it. */
function asStepError(error: unknown, place: RunPlace): unknown {
  if (!(error instanceof SandboxError)) return error;
  const code = error.code === "COMMAND_NOT_FOUND" ? 127 : error.code === "COMMAND_NOT_EXECUTABLE" ? 126 : undefined;
  if (code === undefined) return error;
  const details = { cause: error, ...(error.hint === undefined ? {} : { hint: error.hint }) };
  return new StepError(failedStep(place), { kind: "exit", code }, [error.message], details);
}

function failedStep({ info, instruction, source }: RunPlace): FailedStep {
  return { title: info.title, file: source.file, text: source.text, range: instruction.range };
}

function signalName(number: number): string {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? `signal ${number}`;
}

/** A run that gave the same content as one before over the same parent content gives that one's layer: what follows stays cached. */
async function commit(finished: FinishedContainer, files: Files, context: StepContext, key: KeyTree): Promise<StepOutcome> {
  const { host, directory, startedAtMs, endedAtMs, result, usage } = finished;
  const changes = {
    directory,
    parents: files.layers.map(({ diffId }) => diffId),
    owners: host.owners,
    startedAtMs,
    endedAtMs,
    created: result.created,
    ...(context.epoch === undefined ? {} : { epoch: context.epoch }),
  };
  const packed: PackedUpper = await host.work.pack(changes, { signal: context.signal });
  const packedLayer = async () => ({ entries: await host.work.packedEntries({ directory }), tar: join(directory, packedTar) });
  const { secrets = [], warnings = [] } = (await context.layerGate?.(packedLayer, context.signal)) ?? {};
  const known = await context.cache.findContent(keyContext(files, context, writerVersion), packed.contentId);
  if (known !== undefined) {
    await context.cache.save({
      key,
      layer: known.layer,
      created: known.created,
      secrets: [...new Set([...secrets, ...(known.secrets ?? [])])],
    });
    const note = known.layer.diffId === packed.diffId ? "same layer as before" : "same content as before: what follows stays cached";
    return { layer: known.layer, created: known.created, cached: false, note, usage, warnings };
  }
  const layer = await host.work.adopt({ directory, owners: host.owners });
  const created = createdAt(context);
  await context.cache.save({ key, layer, created, secrets });
  return { layer, created, cached: false, usage, warnings };
}
