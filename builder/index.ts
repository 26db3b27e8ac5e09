// The public API of the builder.
export { TsbuildError } from "../store/errors.ts";
export { build } from "./build.ts";
export { type BundleOptions, bundleImage } from "./bundle.ts";
export { type CheckResult, check } from "./check.ts";
export { type CommitOptions, commitContainer } from "./commit-container.ts";
export type { StepPlace } from "./cut-at.ts";
export { describeTarget, describeTargets } from "./describe.ts";
export { DockerfileError, DockerfileErrors } from "./dockerfile/errors.ts";
export { type DryRun, type DryRunImage, type DryRunStep, dryRun } from "./dry-run.ts";
export type { PredictedStep, StepReason, StepStatus } from "./dry-run-steps.ts";
export type { ImageDifference } from "./image-differences.ts";
export type {
  ArchiveTarget,
  BuildOptions,
  BuildOutput,
  BuildResult,
  BuiltImage,
  ContextSource,
  DeviceValue,
  ImageForm,
  LockOptions,
  NetworkMode,
  PullPolicy,
  RegistryOptions,
  ResourceLimits,
} from "./options.ts";
export type { BuildEvent, EventSink, StepInfo, StepUsage } from "./progress/event.ts";
export { type Rebuild, rebuild } from "./rebuild.ts";
export { runContainer } from "./run-container.ts";
export type { BindMount, PortMapping, RunOptions } from "./run-options.ts";
export { type ShellOptions, shellCommand, shellInFailed } from "./shell.ts";
export { shellAt } from "./shell-at.ts";
export { StepError } from "./step-error.ts";
