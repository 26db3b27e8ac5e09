import type { ForeignFlag } from "./flags.ts";

type ForeignTable = Readonly<Record<string, ForeignFlag>>;

const alwaysRemoved = "nothing is left of intermediate containers in any case";
const onlyDockerfile = "the configuration of the image is changed by the Dockerfile only";
const certificates = 'put them into certs.d, or name them in tsbuild.toml ([registry.host."HOST"] ca = …)';
const noPasswords = "a password in the command line can be read by every user of the machine: tsbuild login, or --authfile";

/** Flags of docker build, buildx build and podman build that `tsbuild build` does not have. */
export const foreignBuildFlags: ForeignTable = {
  "all-platforms": { missing: "name them: --platform linux/amd64,linux/arm64" },
  arch: { value: true, missing: "use --platform OS/ARCH" },
  attest: { value: true, missing: "attestations are not made" },
  "build-arg-file": {
    value: true,
    missing: "arguments are not read from files",
  },
  builder: { value: true, missing: "there is no daemon to choose" },
  "cache-from": {
    value: true,
    missing: "the cache is the store's own and cannot be imported",
  },
  "cache-to": {
    value: true,
    missing: "the cache is the store's own and cannot be exported",
  },
  "cache-ttl": { value: true, missing: "cache records have no age limit" },
  "cgroup-parent": {
    value: true,
    missing: "the parent cgroup is this process's own",
  },
  compress: { note: "there is no daemon to send the context to" },
  "cert-dir": { value: true, missing: certificates },
  creds: { value: true, missing: noPasswords },
  debug: { short: "D", missing: "there is no debugger" },
  device: { value: true, missing: "steps cannot be given devices" },
  "disable-content-trust": { note: "content trust is not used" },
  env: { value: true, missing: onlyDockerfile },
  "force-rm": { note: alwaysRemoved },
  from: { value: true, missing: "the base image is the Dockerfile's" },
  "http-proxy": {
    note: "the caller's proxy variables are always given to RUN steps",
  },
  ignorefile: {
    value: true,
    missing: "the ignore file is .dockerignore, or the Dockerfile's name with .dockerignore added",
  },
  isolation: {
    value: true,
    off: "default",
    missing: "how steps are isolated is found out by trying",
  },
  layers: { note: "layers are always cached" },
  logfile: { value: true, missing: "redirect standard error instead" },
  manifest: { value: true, missing: "with several platforms (--platform) the image of -t is a list" },
  os: { value: true, missing: "use --platform OS/ARCH" },
  policy: { value: true, missing: "there are no source policies" },
  provenance: {
    value: true,
    off: "false",
    missing: "attestations are not made",
  },
  "retry-delay": { value: true, note: "the delay grows from try to try, and is what the registry asks for" },
  rm: { note: alwaysRemoved },
  sbom: {
    value: true,
    off: "false",
    missing: "bills of materials are not made",
  },
  stream: { note: "there is no daemon to send the context to" },
  timestamp: { value: true, missing: "use --source-date-epoch" },
  unsetenv: { value: true, missing: onlyDockerfile },
  unsetlabel: { value: true, missing: onlyDockerfile },
  variant: { value: true, missing: "use --platform OS/ARCH/VARIANT" },
  volume: {
    short: "v",
    value: true,
    missing: "steps cannot be given directories of the host",
  },
};

const noNetworks = "there are no networks to join: --network is default, isolated, host or none";
const noVolumes = "containers can be given files and directories of the host only (-v HOST:CONTAINER)";
const noDevices = "containers cannot be given devices";
const noHealthChecks = "health checks are not run";

/** Flags of docker run and podman run that `tsbuild run` does not have. */
export const foreignRunFlags: ForeignTable = {
  annotation: { value: true, missing: "containers have no annotations" },
  attach: {
    short: "a",
    value: true,
    missing: "standard output and error are always attached",
  },
  "cgroup-parent": {
    value: true,
    missing: "the parent cgroup is this process's own",
  },
  cgroupns: {
    value: true,
    off: "private",
    missing: "a container always has a cgroup namespace of its own",
  },
  cidfile: { value: true, missing: "containers have no ids" },
  "cpu-rt-period": { value: true, missing: "real-time scheduling is not limited" },
  "cpu-rt-runtime": { value: true, missing: "real-time scheduling is not limited" },
  detach: {
    short: "d",
    missing: "a container runs in the foreground and ends with the command",
  },
  "detach-keys": {
    value: true,
    missing: "a container runs in the foreground and ends with the command",
  },
  device: { value: true, missing: noDevices },
  "device-cgroup-rule": { value: true, missing: noDevices },
  "disable-content-trust": { note: "content trust is not used" },
  domainname: { value: true, missing: "only --hostname can be set" },
  expose: { value: true, note: "it documents a port and opens none" },
  gpus: { value: true, missing: noDevices },
  "group-add": { value: true, missing: "groups are those of --user" },
  "health-cmd": { value: true, missing: noHealthChecks },
  "health-interval": { value: true, missing: noHealthChecks },
  "health-retries": { value: true, missing: noHealthChecks },
  "health-start-interval": { value: true, missing: noHealthChecks },
  "health-start-period": { value: true, missing: noHealthChecks },
  "health-timeout": { value: true, missing: noHealthChecks },
  ip: { value: true, missing: noNetworks },
  ip6: { value: true, missing: noNetworks },
  ipc: {
    value: true,
    off: "private",
    missing: "a container always has an IPC namespace of its own",
  },
  isolation: {
    value: true,
    off: "default",
    missing: "how containers are isolated is found out by trying",
  },
  "kernel-memory": { value: true, missing: "kernel memory counts as memory (--memory)" },
  label: { short: "l", value: true, missing: "containers have no labels" },
  "label-file": { value: true, missing: "containers have no labels" },
  link: { value: true, missing: noNetworks },
  "link-local-ip": { value: true, missing: noNetworks },
  "log-driver": {
    value: true,
    missing: "output goes to standard output and error",
  },
  "log-opt": {
    value: true,
    missing: "output goes to standard output and error",
  },
  "mac-address": { value: true, missing: noNetworks },
  name: {
    value: true,
    note: "only a container that is kept has a name: --keep NAME",
  },
  "network-alias": { value: true, missing: noNetworks },
  "no-healthcheck": { note: "health checks are not run" },
  "oom-kill-disable": {
    missing: "the kernel ends a container that uses too much memory",
  },
  "oom-score-adj": {
    value: true,
    missing: "the kernel ends a container that uses too much memory",
  },
  pid: {
    value: true,
    off: "private",
    missing: "a container always has a PID namespace of its own",
  },
  privileged: {
    missing: "name what the command needs: --cap-add, --security-opt seccomp=unconfined, --security-opt systempaths=unconfined",
  },
  "publish-all": {
    short: "P",
    missing: "ports are published one by one (-p HOST:CONTAINER)",
  },
  restart: { value: true, off: "no", missing: "a container runs once" },
  runtime: { value: true, missing: "the runtime is tsbuild's own" },
  secret: {
    value: true,
    missing: "only RUN steps are given secrets; a container gets a file by -v ./FILE:/run/secrets/NAME:ro, a variable by -e NAME",
  },
  "sig-proxy": { note: "signals are always passed on" },
  "storage-opt": { value: true, missing: "there are no storage options" },
  sysctl: { value: true, missing: "kernel settings cannot be changed" },
  uts: {
    value: true,
    off: "private",
    missing: "a container always has a UTS namespace of its own",
  },
  "volume-driver": { value: true, missing: noVolumes },
  "volumes-from": { value: true, missing: noVolumes },
};
