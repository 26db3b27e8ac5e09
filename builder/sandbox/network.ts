import { readFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { findPasta, SandboxError, type SandboxSpec } from "../../runtime-addon/index.ts";
import type { Store } from "../../store/store.ts";
import type { DnsSettings } from "../options.ts";
import type { PortMapping } from "../run-options.ts";
import { defaultGateway } from "./default-gateway.ts";
import { type NetworkKind, resolution } from "./network-files.ts";
import { rememberedRefusal, rememberRefusal } from "./network-memory.ts";
import { isLastingRefusal, isRefusal, isTakenPort } from "./network-refusal.ts";
import { type Attempt, openPasta } from "./open-pasta.ts";
import { type ChosenPort, choosePorts, noteChoices } from "./port-choice.ts";
import { noteReach, publishPorts, refuseTakenPorts } from "./port-forward.ts";

/** What a container asks for. */
export interface NetworkRequest {
  /** "default" is a network of its own where this machine can make one, else the host's; "isolated" is an error where it cannot. */
  readonly mode: "default" | "isolated" | "host" | "none";
  readonly ports: readonly PortMapping[];
  readonly dns: DnsSettings;
  /** Something in the container shall reach what listens on the host's loopback, by the address `gateway`. */
  readonly hostGateway: boolean;
}

/** What it gets. */
export interface ContainerNetwork {
  readonly kind: NetworkKind;
  readonly namespace: SandboxSpec["network"];
  /** What "host-gateway" stands for. */
  readonly gateway: string;
  /** The text of /etc/resolv.conf. */
  readonly resolvConf: string;
  /** False where it has ended by itself. */
  isOpen(): boolean;
  close(): Promise<void>;
}

export interface NetworkSite {
  readonly store: Store;
  /** The process whose user namespace the sandboxes join. */
  readonly userNamespace?: { readonly pid: number };
  readonly onNote: (message: string) => void;
  /** Aborting ends what is being made, never a network that is ready. */
  readonly signal?: AbortSignal;
  /** Ends networks that nobody needs, and waits for those that are ending; false where none was ever ended. */
  readonly makeRoom: () => Promise<boolean>;
}

const loopback = "127.0.0.1";

/** Of what is not ours to end. */
const isOpen = (): boolean => true;

/**
 * Opens the network of one container. Throws SandboxError NETWORK_REFUSED where "isolated" cannot be had or the default one failed for a passing
 * reason, what publishPorts throws, and the reason of an abort.
 */
export async function openContainerNetwork(request: NetworkRequest, site: NetworkSite): Promise<ContainerNetwork> {
  if (request.mode === "none") return { kind: "none", namespace: "none", gateway: loopback, resolvConf: "", isOpen, close: async () => {} };
  try {
    return await openWithPorts(request, site);
  } catch (error) {
    if (!isTakenPort(error) || request.ports.every(({ hostPort }) => hostPort !== undefined)) throw error;
    // One that was free when it was chosen may have been taken since.
    return openWithPorts(request, site);
  }
}

/**
 * Opens a network of its own, without published ports, for a container that is yet to come. Never another kind: throws where there is none to be had at once, and remembers
 * nothing of that.
 */
export async function openNetworkAhead(request: NetworkRequest, site: Omit<NetworkSite, "makeRoom">): Promise<ContainerNetwork> {
  const opened = await isolatedNetwork({ ...request, ports: [] }, site, "ahead");
  if (opened instanceof SandboxError) throw opened;
  return opened;
}

async function openWithPorts(asked: NetworkRequest, site: NetworkSite): Promise<ContainerNetwork> {
  const request = { ...asked, ports: await choosePorts(asked.ports) };
  if (request.mode === "host") return hostNetwork(request, site);
  const opened = await isolatedNetwork(request, site, site);
  if (!(opened instanceof SandboxError)) return opened;
  if (request.mode === "isolated") throw opened;
  site.onNote(`the network is the host's, and what listens on this machine can be reached: ${opened.message}`);
  return hostNetwork(request, site);
}

type ChosenRequest = Omit<NetworkRequest, "ports"> & { readonly ports: readonly ChosenPort[] };

async function hostNetwork({ ports, dns }: ChosenRequest, { onNote }: Pick<NetworkSite, "onNote">): Promise<ContainerNetwork> {
  const relays = await publishPorts(ports);
  noteChoices(ports, onNote);
  for (const port of ports) noteReach(port, onNote);
  const resolvConf = await hostResolvConf(dns);
  return { kind: "host", namespace: "host", gateway: loopback, resolvConf, isOpen, close: relays.close };
}

/** The text of /etc/resolv.conf in the host's network. */
export async function hostResolvConf(dns: DnsSettings): Promise<string> {
  return resolution("host", await hostResolvers(), dns).text;
}

/** Resolves with an error where this machine makes no such network. */
async function isolatedNetwork(
  request: ChosenRequest,
  { store, userNamespace, onNote, signal }: Omit<NetworkSite, "makeRoom">,
  attempt: Attempt,
): Promise<ContainerNetwork | SandboxError> {
  const program = findPasta();
  if (program === undefined) {
    return new SandboxError("NETWORK_REFUSED", "making a network apart from the host's: pasta is not installed", {
      hint: "install the package passt, or say --network host",
    });
  }
  const place = { store, program, ownUsers: userNamespace !== undefined };
  const trustsMemory = request.mode !== "isolated";
  const refusal = trustsMemory ? await rememberedRefusal("network", place) : undefined;
  if (refusal !== undefined) return new SandboxError("NETWORK_REFUSED", refusal);
  await refuseTakenPorts(request.ports);
  const { text, forwarded } = resolution("isolated", await hostResolvers(), request.dns);
  const gateway = request.hostGateway ? await defaultGateway() : undefined;
  const options = {
    program,
    ...(userNamespace === undefined ? {} : { userNamespace }),
    publish: request.ports.map(({ containerPort: port, isFree: _, ...rest }) => ({ ...rest, port })),
    ...(forwarded === undefined ? {} : { resolver: forwarded }),
    hostLoopback: gateway !== undefined,
    ...(signal === undefined ? {} : { signal }),
  };
  try {
    const network = await openPasta(options, { place, trustsMemory, attempt, onNote });
    noteChoices(request.ports, onNote);
    for (const { message } of network.skipped) onNote(`the network does without: ${message}`);
    const { pid, isOpen, close } = network;
    return { kind: "isolated", namespace: { pid }, gateway: gateway ?? loopback, resolvConf: text, isOpen, close };
  } catch (error) {
    if (!(error instanceof SandboxError && isRefusal(error))) throw error;
    if (attempt !== "ahead" && isLastingRefusal(error)) await rememberRefusal("network", place, error.message);
    return error;
  }
}

/** What networks of their own are made from: the addresses, routes and name servers of the host. After a change, those made before may lead nowhere. */
export async function hostNetworkState(): Promise<string> {
  return JSON.stringify([networkInterfaces(), await textOf("/proc/net/route"), await hostResolvers()]);
}

/** resolv.conf of the host, and the one that systemd-resolved keeps of what it asks itself. */
async function hostResolvers(): Promise<{ readonly own: string; readonly upstream: string }> {
  const [own, upstream] = await Promise.all(["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"].map(textOf));
  return { own: own ?? "", upstream: upstream ?? "" };
}

async function textOf(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw error;
  });
}
