import { chmod, mkdir, readdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { deviceNumbers, isSystemError, removeTree, thisMachine } from "../runtime-addon/index.ts";
import { exportRootfs } from "../store/archive/export-rootfs.ts";
import { writeFailed } from "../store/archive/write-failed.ts";
import { TsbuildError } from "../store/errors.ts";
import { nameSystemError } from "../store/name-system-error.ts";
import { openRootfs } from "../store/open-rootfs.ts";
import { openStore } from "../store/store.ts";
import { bundleConfig } from "./bundle/config.ts";
import { jsonText } from "./bundle/json.ts";
import type { bundledFiles } from "./bundle/mounts.ts";
import { commandOf, defaultHostname, environmentOf, findWhole, mountsOf, refuseTargets } from "./image-container.ts";
import type { DnsSettings } from "./options.ts";
import { type RunOptions, resolveRunOptions } from "./run-options.ts";
import { hostResolvConf } from "./sandbox/network.ts";
import { hostsFile, parseAddHost, resolution } from "./sandbox/network-files.ts";
import { sandboxSecurity } from "./sandbox/security.ts";
import { type Identity, resolveUser } from "./steps/passwd.ts";

type OfRun =
  | (
      | "store"
      | "unpackLimits"
      | "image"
      | "command"
      | "entrypoint"
      | "env"
      | "workdir"
      | "user"
      | "hostname"
      | "dns"
      | "addHosts"
      | "volumes"
    )
  | ("tmpfs" | "readOnly" | "limits" | "security" | "shmSizeBytes" | "pull" | "platform" | "registry" | "onTransfer" | "onNote" | "signal");

/** What a bundle is made of: a container as `runContainer` would make it. */
export interface BundleOptions extends Pick<RunOptions, OfRun> {
  /** Where it is to be: a directory that is empty, or is not there. */
  readonly directory: string;
  /** "none" is a network namespace of its own with nothing but loopback, which others may fill. Absent: "none". */
  readonly network?: "none" | "host";
}

/**
 * Writes an OCI runtime bundle (runtime-spec, bundle.md) for runc, crun and the like: config.json, the files of the image with their owners below rootfs/, and its hosts and resolv.conf. For others than root it is one that they
 * can run, in a user namespace with their id alone. What is there of it when it fails is removed. Throws DESTINATION_EXISTS, NO_COMMAND, UNKNOWN_USER, UNKNOWN_GROUP,
 * ID_NOT_MAPPED where the user is not root and the bundle's owner is not either, and what exporting throws.
 */
export async function bundleImage(given: BundleOptions): Promise<void> {
  const { network = "none", directory, ...rest } = given;
  const options = resolveRunOptions(rest);
  const target = resolve(directory);
  refuseTargets([...options.volumes, ...options.tmpfs]);
  const security = sandboxSecurity(options.security ?? {});
  const owner = ownerHere();
  const store = await openStore(options.store, options);
  try {
    const image = await findWhole(store, options);
    const config = image.config.config ?? {};
    const identity = await resolveUser(await openRootfs(store.layers, image.layers), options.user ?? config.User ?? "");
    if (owner !== undefined) refuseOthers(identity, options.image);
    const hostname = options.hostname ?? defaultHostname;
    const document = bundleConfig({
      image: image.config,
      args: commandOf(options, config),
      env: environmentOf(options, config),
      cwd: options.workdir ?? (config.WorkingDir || "/"),
      identity,
      hostname,
      security,
      limits: options.limits,
      deviceNumbers: deviceNumbers(),
      readOnlyRoot: options.readOnly,
      mounts: {
        given: await mountsOf(options),
        ...(options.shmSizeBytes === undefined ? {} : { shmSizeBytes: options.shmSizeBytes }),
        rootless: owner !== undefined,
        network,
      },
      ...(owner === undefined ? {} : { owner }),
      machine: thisMachine(),
    });
    const files: Readonly<Record<keyof typeof bundledFiles, string>> = {
      hosts: hostsFile(hostname, options.addHosts.map(parseAddHost), "127.0.0.1"),
      "resolv.conf": await resolvConf(network, options.dns),
    };
    await inNewDirectory(target, async () => {
      const rootfs = join(target, "rootfs");
      await mkdir(rootfs);
      const { signal, onNote } = options;
      await exportRootfs(store, [image], { directory: rootfs }, { onNote, ...(signal === undefined ? {} : { signal }) });
      // As every user needs it, whatever the umask.
      await chmod(rootfs, 0o755);
      for (const [name, text] of Object.entries(files)) {
        await writeFile(join(target, name), text);
        await chmod(join(target, name), 0o644);
      }
      // Last: without it there is no bundle.
      await writeFile(join(target, "config.json"), `${jsonText(document)}\n`, { mode: 0o600 });
    });
  } catch (error) {
    throw nameSystemError(error, store.root);
  } finally {
    await store.close();
  }
}

function ownerHere(): { readonly uid: number; readonly gid: number } | undefined {
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
  return uid === 0 ? undefined : { uid, gid };
}

function refuseOthers({ uid, gid }: Identity, image: string): void {
  if (uid === 0 && gid === 0) return;
  throw new TsbuildError(
    "ID_NOT_MAPPED",
    `making a bundle of ${image}: its user is ${uid}:${gid}, and a bundle that is not root's has the ids 0:0 alone`,
    {
      hint: "--user 0, or make the bundle as root",
    },
  );
}

async function resolvConf(network: "none" | "host", dns: DnsSettings): Promise<string> {
  return network === "host" ? hostResolvConf(dns) : resolution("host", { own: "", upstream: "" }, dns).text;
}

/** Its set-uid programs are for the container: nobody else comes near. */
async function inNewDirectory(directory: string, fill: () => Promise<void>): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    if ((await readdir(directory)).length > 0) {
      throw new TsbuildError("DESTINATION_EXISTS", `making a bundle in ${directory}: the directory is not empty`);
    }
    try {
      await fill();
    } catch (error) {
      for (const name of await readdir(directory)) await removeTree(join(directory, name));
      throw error;
    }
  } catch (error) {
    if (!isSystemError(error) || error.path?.startsWith(directory) !== true) throw error;
    throw writeFailed(`making a bundle in ${directory}`, error);
  }
}
