import { buildOf, executePlans, type Running, runSettings } from "./build.ts";
import { withBuildSite } from "./build-site.ts";
import { cutAt, type StepPlace } from "./cut-at.ts";
import type { Dockerfile } from "./dockerfile/instruction.ts";
import type { BuiltStage } from "./execute.ts";
import type { BuildOptions } from "./options.ts";
import type { BuildPlan, StageWork } from "./plan/build-plan.ts";
import { stepsOf } from "./plan/numbered-plans.ts";
import type { RunOperation } from "./plan/operation.ts";
import { planSite } from "./plan-site.ts";
import { refuseSteps } from "./refuse-steps.ts";
import type { ContainerSpec } from "./sandbox/container.ts";
import { openHost } from "./sandbox/host.ts";
import { parseAddHost, stepHostname } from "./sandbox/network-files.ts";
import { sandboxSecurity } from "./sandbox/security.ts";
import { runShell, type ShellOptions } from "./shell.ts";
import { missingAgent, missingSecret, notRequired } from "./shell-mounts.ts";
import { type DatedSite, dateSite } from "./source-date-epoch.ts";
import { resolveUser } from "./steps/passwd.ts";
import { withStepResources } from "./steps/run-resources.ts";
import { runSpec } from "./steps/run-spec.ts";

/**
 * Builds as far as a step, its own result included unless `before`, and runs a shell there: in the container of the step, where that is a RUN, with what its mounts show,
 * elsewhere with the variables, directory and user of that place. Secrets and agents that nobody gives are not there. Throws UNKNOWN_STEP, and what building and running a container
 * throw.
 */
export async function shellAt(given: BuildOptions, place: StepPlace, options: ShellOptions, onReady: () => void): Promise<number> {
  return withBuildSite(given, "opening a shell", async (opened) => {
    const dated = await dateSite(opened);
    const { site, plan, target, run } = await planShell(dated, place);
    refuseSteps(plan, site.options);
    site.options.onEvent({ type: "plan", steps: stepsOf(plan) });
    const store = await site.store();
    const host = openHost(store, site.onNote, site.options.userns);
    const running = { store, run: runSettings(site, { host, secrets: site.secrets, name: buildOf(site) }) };
    try {
      const [results] = await executePlans([{ plan, site }], running);
      const result = results?.get(target.index);
      if (result === undefined) throw new RangeError("the target was not built");
      const shell = { site, running, result, options, onReady };
      return run === undefined ? await shellAfter(target, shell) : await shellInRun(run, shell);
    } finally {
      await host.close();
    }
  });
}

interface ShellPlan {
  readonly site: DatedSite;
  readonly plan: BuildPlan;
  readonly target: StageWork;
  /** The step at the place, where it is a RUN. */
  readonly run?: RunOperation;
}

/** What a RUN at the place reads from is built for a shell before it, too. */
async function planShell(site: DatedSite, place: StepPlace): Promise<ShellPlan> {
  const whole = await planCut(site, cutAt(site.dockerfile, { ...place, before: false }));
  const last = whole.target.steps.at(-1);
  const placed = whole.site.dockerfile.stages.at(-1)?.instructions.at(-1);
  if (last?.operation.op === "run" && last.instruction === placed) {
    const run = last.operation;
    return place.before ? { ...withoutLastStep(whole), run } : { ...whole, run };
  }
  return place.before ? planCut(site, cutAt(site.dockerfile, place)) : whole;
}

async function planCut(site: DatedSite, dockerfile: Dockerfile): Promise<ShellPlan> {
  // The last stage is the target.
  const cut = { ...site, dockerfile, planOptions: { ...site.planOptions, targets: [] } };
  const { plan } = await planSite(cut);
  const [target] = plan.targets;
  if (target === undefined) throw new RangeError("there was no target");
  return { site: cut, plan, target };
}

function withoutLastStep({ site, plan, target }: ShellPlan): ShellPlan {
  const before = { ...target, steps: target.steps.slice(0, -1), infos: target.infos.slice(0, -1) };
  const replaced = (works: readonly StageWork[]) => works.map((work) => (work === target ? before : work));
  return { site, plan: { ...plan, stages: replaced(plan.stages), targets: replaced(plan.targets) }, target: before };
}

interface OpenShell {
  readonly site: DatedSite;
  readonly running: Running;
  readonly result: BuiltStage;
  readonly options: ShellOptions;
  readonly onReady: () => void;
}

async function shellInRun(run: RunOperation, { running, result, options, onReady }: OpenShell): Promise<number> {
  const { files, next } = result;
  const settings = running.run;
  const operation = { ...run, mounts: notRequired(run.mounts) };
  const places = { files, ...next, host: await running.run.host.open() };
  const { onNote } = options;
  return withStepResources(operation, places, settings, { onNote, onWarning: onNote }, async (resources) => {
    for (const mount of operation.mounts) {
      if (mount.type === "secret" && resources.secrets.of(mount) === undefined) onNote(missingSecret(mount.id));
      if (mount.type === "ssh" && resources.agents.of(mount) === undefined) onNote(missingAgent(mount.id));
    }
    const spec = await runSpec(operation, files, next.context, settings, resources);
    onReady();
    return runShell(running.store, running.run.host, spec, options);
  });
}

async function shellAfter({ state }: StageWork, { site, running, result, options, onReady }: OpenShell): Promise<number> {
  const { addHosts, hostCa, limits, shmSizeBytes, network, security, hermetic, dns } = site.options;
  const { config, scope } = state;
  const { layers } = result.files;
  const spec: Omit<ContainerSpec, "args" | "tty"> = {
    layers,
    env: scope.variables.record(),
    cwd: config.WorkingDir || "/",
    identity: await resolveUser(await result.next.context.rootfs(layers), config.User ?? ""),
    network: { mode: hermetic ? "none" : network, ports: [], dns },
    hostname: stepHostname,
    hosts: addHosts.map(parseAddHost),
    hostCa,
    limits,
    ...(security === undefined ? {} : { security: sandboxSecurity(security) }),
    ...(shmSizeBytes === undefined ? {} : { shmSizeBytes }),
    mounts: [],
    documents: [],
  };
  onReady();
  return runShell(running.store, running.run.host, spec, options);
}
