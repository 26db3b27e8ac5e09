import { describe, expect, it } from "vitest";
import { containerNetworks, type NetworkMaker } from "../../../builder/sandbox/container-networks.ts";
import type { ContainerNetwork, NetworkRequest } from "../../../builder/sandbox/network.ts";
import type { Store } from "../../../store/store.ts";

const request: NetworkRequest = { mode: "default", ports: [], dns: { servers: [], search: [], options: [] }, hostGateway: false };

interface MachineOptions {
  /** Of what is not made ahead. */
  readonly kind?: ContainerNetwork["kind"];
  /** Those that it does not make. */
  readonly refused?: readonly number[];
  /** Those that are not ready before `held.get(number)` is called, or their making is aborted. */
  readonly slow?: readonly number[];
  /** Those that do not end before `held.get(number)` is called. */
  readonly slowToEnd?: readonly number[];
}

/** A machine whose networks have numbers, in the order in which they were asked for. */
function machine({ kind = "isolated", refused = [], slow = [], slowToEnd = [] }: MachineOptions = {}) {
  const asked: NetworkRequest["mode"][] = [];
  const open = new Set<number>();
  const died = new Set<number>();
  const aborted: number[] = [];
  const notes: string[] = [];
  const host = { state: "as it is" };
  const held = new Map<number, () => void>();
  const rooms: boolean[] = [];
  const make = async (made: ContainerNetwork["kind"], request: NetworkRequest, site: Parameters<NetworkMaker["openAhead"]>[1]) => {
    site.signal?.throwIfAborted();
    const number = asked.push(request.mode);
    if (slow.includes(number)) {
      await new Promise<void>((ready, stopped) => {
        held.set(number, ready);
        site.signal?.addEventListener("abort", () => stopped(new Error(`network ${number} is not wanted any more`)));
      }).catch((error: unknown) => {
        aborted.push(number);
        throw error;
      });
    }
    if (refused.includes(number)) throw new Error(`network ${number} is refused`);
    open.add(number);
    site.onNote(`of network ${number}`);
    const close = async () => {
      if (slowToEnd.includes(number)) await new Promise<void>((ended) => void held.set(number, ended));
      open.delete(number);
    };
    return { kind: made, namespace: { pid: number }, gateway: "", resolvConf: "", isOpen: () => !died.has(number), close };
  };
  const networks = containerNetworks(
    { store: {} as Store },
    {
      open: async (request, site) => {
        try {
          return await make(request.mode === "none" ? "none" : kind, request, site);
        } catch (error) {
          rooms.push(await site.makeRoom());
          if (rooms.at(-1) !== true) throw error;
          return make(kind, request, site);
        }
      },
      openAhead: (request, site) => make("isolated", request, site),
      hostState: async () => host.state,
    },
  );
  const opened = (following: number, asking = request, signal?: AbortSignal) =>
    networks.open(asking, {
      following,
      onNote: (message) => void notes.push(message),
      ...(signal === undefined ? {} : { signal }),
    });
  const take = async (following: number, asking = request): Promise<number> => numberOf(await opened(following, asking));
  return { networks, take, opened, asked, open, died, aborted, notes, host, held, rooms };
}

function numberOf({ namespace }: ContainerNetwork): number {
  return typeof namespace === "object" ? namespace.pid : 0;
}

/** What can go on without anything from outside has done so. */
const settled = () => new Promise<void>((done) => void setImmediate(done));

/** Whether a promise has been fulfilled or rejected, when all that can go on has. */
async function isDone(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  const note = () => {
    done = true;
  };
  promise.then(note, note);
  await settled();
  return done;
}

describe("networks of a build's containers", () => {
  it("are made ahead as far as some follow, and never more than two", async () => {
    const { take, asked } = machine();
    const made: [taken: number, asked: number][] = [];
    for (const following of [5, 4, 3, 2, 1, 0]) {
      const taken = await take(following);
      await settled();
      made.push([taken, asked.length]);
    }
    expect(made).toEqual([
      [1, 3],
      [2, 4],
      [3, 5],
      [4, 6],
      [5, 6],
      [6, 6],
    ]);
  });

  it("are each given once, also to those who ask at the same time", async () => {
    const { take } = machine();
    const first = await take(2);
    const others = await Promise.all([take(0), take(0), take(0)]);
    expect([first, ...others].sort()).toEqual([1, 2, 3, 4]);
  });

  it("are not made ahead where a container has the host's", async () => {
    const { take, asked } = machine({ kind: "host" });
    await take(3);
    await settled();
    expect(asked).toHaveLength(1);
  });

  it.each<[name: string, spoil: (made: ReturnType<typeof machine>) => void]>([
    ["was made when the host's network was another", ({ host }) => void Object.assign(host, { state: "another" })],
    ["has ended by itself", ({ died }) => void died.add(2).add(3)],
  ])("are ended, not given, if one %s", async (_name, spoil) => {
    const made = machine();
    await made.take(2);
    await settled();
    spoil(made);
    expect(await made.take(0)).toBe(4);
    await made.networks.close();
    expect([...made.open]).toEqual([1, 4]);
  });

  it("stay for those who want such a one while others want something else", async () => {
    const { networks, take, asked, open } = machine();
    const taken: number[] = [];
    for (const [mode, following] of [
      ["default", 2],
      ["none", 0],
      ["default", 1],
      ["host", 0],
      ["isolated", 0],
      ["default", 0],
    ] as const) {
      taken.push(await take(following, { ...request, mode }));
      await settled();
    }
    expect(taken).toEqual([1, 4, 2, 5, 6, 3]);
    expect(asked.filter((mode) => mode === "default")).toHaveLength(3);
    await networks.close();
    expect([...open]).toEqual(taken.sort());
  });

  it("are not made ahead any more once one could not be, and that alone is no refusal", async () => {
    const { take, asked, rooms } = machine({ refused: [3] });
    const taken: number[] = [];
    for (const following of [4, 3, 2]) {
      taken.push(await take(following));
      await settled();
    }
    expect([taken, asked.length, rooms]).toEqual([[1, 2, 4], 4, []]);
  });

  it("that are refused are tried once more when those that nobody has taken have ended, and those that were ending", async () => {
    const { opened, take, open, rooms, held, asked } = machine({ refused: [4], slowToEnd: [1, 2] });
    const first = await opened(2);
    await settled();
    await first.close();
    const other = take(0, { ...request, mode: "isolated" });
    expect(await isDone(other)).toBe(false);
    expect([...open]).toEqual([1, 2]);
    held.get(1)?.();
    expect(await isDone(other)).toBe(false);
    held.get(2)?.();
    expect(await other).toBe(5);
    expect(rooms).toEqual([true]);
    await take(3);
    await settled();
    expect(asked).toHaveLength(6);
  });

  it("that are refused where there never was another are so at once", async () => {
    const { take, rooms } = machine({ refused: [1] });
    await expect(take(2)).rejects.toThrow("network 1 is refused");
    expect(rooms).toEqual([false]);
  });

  it("are told of when they are given", async () => {
    const { take, notes } = machine();
    await take(2);
    await settled();
    expect(notes).toEqual(["of network 1"]);
    await take(0);
    expect(notes).toEqual(["of network 1", "of network 2"]);
  });
});

describe("the end of networks", () => {
  it("is not waited for by who had them, but of the oldest of three", async () => {
    const { opened, held } = machine({ slowToEnd: [1, 2, 3, 4] });
    const end = async () => (await opened(0)).close();
    const ends = [end(), end(), end()];
    expect(await Promise.all(ends.map(isDone))).toEqual([true, true, false]);
    held.get(1)?.();
    await Promise.all(ends);
    const another = end();
    expect(await isDone(another)).toBe(false);
    held.get(2)?.();
    await another;
  });

  it("is waited for when the build is over, whether somebody took them or not", async () => {
    const { networks, opened, open, held } = machine({ slowToEnd: [1, 3] });
    const first = await opened(2);
    await settled();
    await first.close();
    const closed = networks.close();
    for (const number of [1, 3]) {
      expect(await isDone(closed)).toBe(false);
      held.get(number)?.();
    }
    await closed;
    expect([...open]).toEqual([]);
  });

  it("of one that is given back after that is waited for by who had it", async () => {
    const { networks, opened, held } = machine({ slowToEnd: [1] });
    const first = await opened(0);
    await networks.close();
    const end = first.close();
    expect(await isDone(end)).toBe(false);
    held.get(1)?.();
    await end;
  });

  it("comes to those that are still being made when the build is over", async () => {
    const { networks, take, open, aborted } = machine({ slow: [2, 3] });
    await take(2);
    await settled();
    await networks.close();
    expect([aborted, [...open]]).toEqual([[2, 3], [1]]);
  });

  it("comes to those that are being made when the build is cancelled, and whoever waits for one has none", async () => {
    const { opened, aborted, asked } = machine({ slow: [2, 3] });
    const cancelled = new AbortController();
    await opened(2, request, cancelled.signal);
    await settled();
    const second = opened(0, request, cancelled.signal);
    expect(await isDone(second)).toBe(false);
    cancelled.abort(new Error("cancelled"));
    await expect(second).rejects.toThrow("cancelled");
    expect([aborted, asked.length]).toEqual([[2, 3], 3]);
  });

  it("is that of making any: neither ahead, where one was still being made, nor for who asks", async () => {
    const { networks, opened, asked, held } = machine({ slow: [1] });
    const first = opened(2);
    await settled();
    await networks.close();
    held.get(1)?.();
    await first;
    await settled();
    expect(asked).toHaveLength(1);
    await expect(opened(0)).rejects.toThrow("opening a network: the build is over");
  });

  it("that fails is told when all have ended", async () => {
    const { networks, opened, open } = machine();
    const made = await opened(1);
    const broken = containerNetworks(
      { store: {} as Store },
      {
        open: async () => ({ ...made, close: () => Promise.reject(new Error("it does not end")) }),
        openAhead: async () => made,
        hostState: async () => "",
      },
    );
    const network = await broken.open(request, { following: 1, onNote: () => {} });
    await network.close();
    await settled();
    await expect(broken.close()).rejects.toThrow("it does not end");
    await networks.close();
    expect([...open]).toEqual([]);
  });
});
