import { describe, expect, it } from "vitest";
import { type ContainerNetworks, containerNetworks } from "../../../builder/sandbox/container-networks.ts";
import type { ContainerNetwork, NetworkRequest } from "../../../builder/sandbox/network.ts";
import type { Store } from "../../../store/store.ts";

const request: NetworkRequest = { mode: "default", ports: [], dns: { servers: [], search: [], options: [] }, hostGateway: false };

/** A machine whose networks have numbers, in the order in which they were asked for; `refused` are those that it does not make, `lasting` those that it does not end. */
function machine({
  kind = "isolated" as ContainerNetwork["kind"],
  refused = [] as readonly number[],
  lasting = [] as readonly number[],
} = {}) {
  const asked: NetworkRequest[] = [];
  const open = new Set<number>();
  const died = new Set<number>();
  const notes: string[] = [];
  const clock = { ms: 0 };
  const networks = containerNetworks(
    { store: {} as Store },
    () => clock.ms,
    async (request, { onNote }) => {
      const number = asked.push(request);
      if (refused.includes(number)) throw new Error(`network ${number} is refused`);
      open.add(number);
      onNote(`of network ${number}`);
      return {
        kind,
        namespace: { pid: number },
        gateway: "",
        resolvConf: "",
        isOpen: () => !died.has(number),
        close: async () => {
          if (lasting.includes(number)) throw new Error(`network ${number} does not end`);
          open.delete(number);
        },
      };
    },
  );
  const take = async (following: number, asking = request): Promise<number> => numberOf(await opened(networks, following, asking));
  const opened = (from: ContainerNetworks, following: number, asking = request) =>
    from.open(asking, { following, onNote: (message) => void notes.push(message) });
  return { networks, take, opened: (following: number) => opened(networks, following), asked, open, died, notes, clock };
}

function numberOf({ namespace }: ContainerNetwork): number {
  return typeof namespace === "object" ? namespace.pid : 0;
}

describe("networks of a build's containers", () => {
  it("are made ahead as far as some follow, and never more than two", async () => {
    const { take, asked } = machine();
    const made: [taken: number, asked: number][] = [];
    for (const following of [5, 4, 3, 2, 1, 0]) made.push([await take(following), asked.length]);
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
    expect(asked).toHaveLength(1);
  });

  it.each<[name: string, spoil: (made: ReturnType<typeof machine>) => void, asking?: NetworkRequest]>([
    ["was made for another request", () => {}, { ...request, hostGateway: true }],
    ["waited for more than a minute", ({ clock }) => void Object.assign(clock, { ms: 60_001 })],
    ["has ended by itself", ({ died }) => void died.add(2).add(3)],
  ])("are ended, not given, if one %s", async (_name, spoil, asking) => {
    const made = machine();
    await made.take(2);
    spoil(made);
    expect(await made.take(0, asking)).toBe(4);
    await made.networks.close();
    expect([...made.open]).toEqual([1, 4]);
  });

  it("whose making ahead failed are made once more for who wants one, who hears of a second failure", async () => {
    const { take } = machine({ refused: [2, 4, 5] });
    expect(await take(1)).toBe(1);
    expect(await take(1)).toBe(3);
    await expect(take(0)).rejects.toThrow("network 5 is refused");
  });

  it("are told of when they are given", async () => {
    const { take, notes } = machine();
    await take(2);
    expect(notes).toEqual(["of network 1"]);
    await take(0);
    expect(notes).toEqual(["of network 1", "of network 2"]);
  });

  it("are all ended in the end, whether somebody took them or not", async () => {
    const { networks, opened, open } = machine();
    await (await opened(3)).close();
    const second = await opened(2);
    await second.close();
    await networks.close();
    expect([...open]).toEqual([]);
  });

  it("that cannot be ended are told of when all are to end, and not before; the others end", async () => {
    const { networks, opened, open } = machine({ lasting: [1, 3] });
    const unhandled: unknown[] = [];
    const onUnhandled = (reason: unknown) => void unhandled.push(reason);
    process.on("unhandledRejection", onUnhandled);
    try {
      await (await opened(2)).close();
      // Rejections that nobody holds are told of before the next turn.
      await new Promise(setImmediate);
      await expect(networks.close()).rejects.toThrow("network 1 does not end");
      await new Promise(setImmediate);
    } finally {
      process.off("unhandledRejection", onUnhandled);
    }
    expect([unhandled, [...open]]).toEqual([[], [1, 3]]);
  });
});
