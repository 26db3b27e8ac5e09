import {
  type ContainerNetwork,
  hostNetworkState,
  type NetworkRequest,
  type NetworkSite,
  openContainerNetwork,
  openNetworkAhead,
} from "./network.ts";

/** The networks of a build's containers: each has one of its own, which nothing else was ever in. */
export interface ContainerNetworks {
  /**
   * Opens the network of one container, and makes some for the containers that come next, as `following` says: while that one runs there is time. What is told with
   * `onNote` is that of the network that is given. Throws as openContainerNetwork does. Of a network of its own close() does not wait for the end, but where too many
   * are ending already.
   */
  open(request: NetworkRequest, options: OpeningOptions): Promise<ContainerNetwork>;
  /** Ends what is being made and what nobody took, and waits for the end of all. Throws what ending one has thrown. */
  close(): Promise<void>;
}

export interface OpeningOptions {
  /** How many more containers are likely to want such a network soon. */
  readonly following: number;
  readonly onNote: (message: string) => void;
  /** Aborting ends what is being made for this container or, at its opening, for others. */
  readonly signal?: AbortSignal;
}

/** What networks are made with, and what of. */
export interface NetworkMaker {
  readonly open: typeof openContainerNetwork;
  readonly openAhead: typeof openNetworkAhead;
  /** One made in another state of the host is of no use. */
  readonly hostState: () => Promise<string>;
}

/** Two short commands may be over before the next network is made. */
const mostAhead = 2;

/** A machine has so many namespaces for a user, and no more. */
const mostEnding = 2;

interface Ahead {
  /** What it was made for. */
  readonly wanted: string;
  /** Undefined where it could not be made: who wants one tries, and hears why. */
  readonly made: Promise<Made | undefined>;
}

interface Made {
  readonly network: ContainerNetwork;
  readonly notes: readonly string[];
  /** Of the time before. */
  readonly hostState: string;
}

const machine: NetworkMaker = { open: openContainerNetwork, openAhead: openNetworkAhead, hostState: hostNetworkState };

export function containerNetworks(
  site: Pick<NetworkSite, "store" | "userNamespace">,
  { open, openAhead, hostState }: NetworkMaker = machine,
): ContainerNetworks {
  const ahead: Ahead[] = [];
  const endings = new Set<Promise<void>>();
  const failures: unknown[] = [];
  /** Aborted: none is made ahead any more, since one could not be, or since the build is over. */
  const noneAhead = new AbortController();
  let isClosed = false;
  let hasEnded = false;

  const startEnd = (network: ContainerNetwork): void => {
    hasEnded = true;
    const ending: Promise<void> = network
      .close()
      .catch((error: unknown) => void failures.push(error))
      .finally(() => endings.delete(ending));
    endings.add(ending);
  };

  const end = async (network: ContainerNetwork): Promise<void> => {
    startEnd(network);
    for (const oldest of endings) {
      if (endings.size <= mostEnding) return;
      await oldest;
    }
  };

  /** All that nobody has taken; resolves when none is ending any more, with whether any ever was: the kernel may still be at it. */
  const endUnused = async (): Promise<boolean> => {
    noneAhead.abort();
    const unused = ahead.splice(0);
    for (const made of await Promise.all(unused.map(({ made }) => made))) if (made !== undefined) startEnd(made.network);
    await Promise.all(endings);
    return hasEnded || unused.length > 0;
  };

  const make = async (request: NetworkRequest, signal: AbortSignal | undefined): Promise<Made> => {
    const notes: string[] = [];
    const signals = signal === undefined ? [noneAhead.signal] : [noneAhead.signal, signal];
    const state = await hostState();
    const making = { ...site, signal: AbortSignal.any(signals), onNote: (message: string) => void notes.push(message) };
    return { network: await openAhead(request, making), notes, hostState: state };
  };

  const takeAhead = async (wanted: string, onNote: (message: string) => void): Promise<ContainerNetwork | undefined> => {
    for (;;) {
      const at = ahead.findIndex((one) => one.wanted === wanted);
      if (at < 0) return undefined;
      const [found] = ahead.splice(at, 1);
      const made = await found?.made;
      if (made === undefined) continue;
      const state = await hostState().catch(() => undefined);
      if (made.hostState === state && made.network.isOpen()) {
        for (const note of made.notes) onNote(note);
        return made.network;
      }
      await end(made.network);
    }
  };

  return {
    async open(request, { following, onNote, signal }) {
      if (isClosed) throw new Error("opening a network: the build is over");
      const own = { ...site, onNote, makeRoom: endUnused, ...(signal === undefined ? {} : { signal }) };
      if (request.mode === "none" || request.mode === "host") return open(request, own);
      const wanted = JSON.stringify(request);
      const network = (await takeAhead(wanted, onNote)) ?? (await open(request, own));
      if (network.kind !== "isolated") return network;
      while (!noneAhead.signal.aborted && ahead.length < Math.min(following, mostAhead)) {
        ahead.push({ wanted, made: make(request, signal).catch(() => void noneAhead.abort()) });
      }
      return { ...network, close: () => (isClosed ? network.close() : end(network)) };
    },
    async close() {
      isClosed = true;
      await endUnused();
      if (failures.length > 0) throw failures[0];
    },
  };
}
