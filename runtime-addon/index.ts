export { type AllocatedBytes, allocatedBytes } from "./allocated.ts";
export { planAutoMap, readAutoMap } from "./auto-id-map.ts";
export { helperPath } from "./binding.ts";
export { foreignHandler } from "./binfmt.ts";
export { type ByteString, bufferOf, bytesFrom, bytesOf, textOf } from "./bytes.ts";
export { CAPABILITIES, capabilityName, DEFAULT_CAPABILITIES } from "./capabilities.ts";
export { type Cgroup, openCgroup } from "./cgroup.ts";
export type { CgroupUsage } from "./cgroup-usage.ts";
export { type GzipOptions, type GzippedFile, gzipFile, gzipLibrary } from "./deflate.ts";
export { deviceNumbers } from "./device-numbers.ts";
export { endProcess } from "./end-process.ts";
export { type ErrorDetails, TsbuildError } from "./errors.ts";
export { type Attributes, type ExtractEntry, type ExtractOptions, extract } from "./extract.ts";
export { FileChangedError } from "./file-changed.ts";
export { type AttributeChange, removePaths, removeTree, renameNoReplace, setAttributes, syncFileSystem } from "./fs.ts";
export { hashFiles } from "./hash-files.ts";
export { type IdMap, type IdRange, parseIdMap, planIdMap, readIdMap } from "./id-map.ts";
export { type LockMode, type LockOptions, lockByte, lockFile } from "./locks.ts";
export { serveNamespaceWorker, type WorkerMethods } from "./namespace-worker.ts";
export { findPasta } from "./pasta.ts";
export { type Match, openPatterns, type Pattern, type PatternSet } from "./patterns.ts";
export { type Probe, probeHost } from "./probe.ts";
export type { DeviceNumbers, DeviceValue, ResourceLimits } from "./resource-limits.ts";
export { RLIMIT_NAMES, type Rlimit, type RlimitName } from "./rlimits.ts";
export {
  type CommandStatus,
  exitCodeOf,
  type RunningSandbox,
  runSandbox,
  type SandboxIo,
  type SandboxOptions,
  type SandboxResult,
} from "./sandbox.ts";
export { SandboxError, type SandboxFailure } from "./sandbox-error.ts";
export { describeForm, type FoundForm, findSandboxForm, type SandboxForm } from "./sandbox-form.ts";
export { type NetworkOptions, openNetwork, type PublishedPort, type SandboxNetwork } from "./sandbox-network.ts";
export { DEFAULT_SHM_BYTES } from "./sandbox-plan.ts";
export { type ScanOptions, scan, statMany } from "./scan.ts";
export { decodeScan, type FileType, type ScanEntry } from "./scan-record.ts";
export { DEFAULT_PROFILE } from "./seccomp/default-profile.ts";
export { flatOwnersFilter } from "./seccomp/flat-owners.ts";
export { type OciSeccomp, ociSeccomp } from "./seccomp/oci-seccomp.ts";
export { parseSeccompProfile } from "./seccomp/parse-profile.ts";
export type { SeccompProfile } from "./seccomp/profile.ts";
export type {
  ContentMount,
  Mount,
  ProvidedFile,
  SandboxProcess,
  SandboxRoot,
  SandboxSpec,
  TmpfsMount,
} from "./spec.ts";
export { isSystemError, type SystemError, systemErrorCode, systemErrorMessage } from "./system-error.ts";
export { MASKED_PATHS, READ_ONLY_PATHS } from "./system-paths.ts";
export { openTarReader, type SkimmedTar, type TarReader } from "./tar-reader.ts";
export { openTarSink, type TarPiece, type TarSink } from "./tar-sink.ts";
export { thisMachine } from "./this-machine.ts";
export { usableCpus } from "./usable-cpus.ts";
export { type NamespaceWorker, type NamespaceWorkerOptions, openNamespaceWorker, openUserNamespace } from "./user-namespace.ts";
