import { type ContainerNetwork, type NetworkRequest, type NetworkSite, openContainerNetwork } from "./network.ts";

/** The networks of a build's containers: each has one of its own, which nothing else was ever in. */
export interface ContainerNetworks {
  /**
   * Opens the network of one container, and makes some for the containers that come next, as `following` says: while that one runs there is time. What is told with
   * `onNote` is that of the network that is given. Throws as openContainerNetwork does. Of a network of its own close() does not wait for the end.
   */
  open(request: NetworkRequest, options: OpeningOptions): Promise<ContainerNetwork>;
  /** Ends what nobody took, and waits for the end of all. Throws what the first of them that could not be ended threw. */
  close(): Promise<void>;
}

export interface OpeningOptions {
  /** How many more containers are likely to want such a network soon. */
  readonly following: number;
  readonly onNote: (message: string) => void;
}

/** Two short commands may be over before the next network is made. */
const mostAhead = 2;

/** One that waited for longer may have the addresses and resolvers of a network that the machine has left. */
const keptMs = 60_000;

interface Ahead {
  /** What it was made for. */
  readonly wanted: string;
  readonly madeAtMs: number;
  readonly notes: readonly string[];
  /** Undefined where it could not be made: who wants one tries, and hears why. */
  readonly network: Promise<ContainerNetwork | undefined>;
}

export function containerNetworks(
  site: Omit<NetworkSite, "onNote">,
  now: () => number = () => performance.now(),
  openNetwork: typeof openContainerNetwork = openContainerNetwork,
): ContainerNetworks {
  const ahead: Ahead[] = [];
  const endings = new Set<Promise<void>>();
  const failures: unknown[] = [];
  let isClosed = false;

  const end = (network: ContainerNetwork): void => {
    const ending = network
      .close()
      .catch((error: unknown) => void failures.push(error))
      .finally(() => endings.delete(ending));
    endings.add(ending);
  };

  const makeAhead = (request: NetworkRequest): void => {
    const notes: string[] = [];
    const network = openNetwork(request, { ...site, onNote: (message) => void notes.push(message) }).catch(() => undefined);
    ahead.push({ wanted: JSON.stringify(request), madeAtMs: now(), notes, network });
  };

  const takeAhead = async (wanted: string, onNote: (message: string) => void): Promise<ContainerNetwork | undefined> => {
    for (let found = ahead.shift(); found !== undefined; found = ahead.shift()) {
      const network = await found.network;
      if (network === undefined) continue;
      if (found.wanted === wanted && now() - found.madeAtMs <= keptMs && network.isOpen()) {
        found.notes.forEach(onNote);
        return network;
      }
      end(network);
    }
    return undefined;
  };

  return {
    async open(request, { following, onNote }) {
      const network = (await takeAhead(JSON.stringify(request), onNote)) ?? (await openNetwork(request, { ...site, onNote }));
      if (network.kind !== "isolated") return network;
      while (!isClosed && ahead.length < Math.min(following, mostAhead)) makeAhead(request);
      return { ...network, close: async () => end(network) };
    },
    async close() {
      isClosed = true;
      for (const { network } of ahead.splice(0)) {
        const made = await network;
        if (made !== undefined) end(made);
      }
      await Promise.all(endings);
      if (failures.length > 0) throw failures[0];
    },
  };
}
