import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { type NetworkRequest, openContainerNetwork } from "../../../builder/sandbox/network.ts";
import { choosePorts } from "../../../builder/sandbox/port-choice.ts";
import { openStore, type Store } from "../../../store/store.ts";
import { type Mutant, mutant } from "../../support/mutant.ts";
import { needs } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

vi.mock("../../../builder/sandbox/port-choice.ts", { spy: true });

type Open = typeof openContainerNetwork;
const dns: NetworkRequest["dns"] = { servers: [], search: [], options: [] };
const freshStore = () => openStore(temporaryDirectory("store"));

interface Opened {
  readonly kind: string;
  readonly notes: readonly string[];
  /** Of the network's namespace; absent: it is the host's. */
  readonly interfaces?: readonly string[];
}

async function opened(open: Open, store: Store, request: Partial<NetworkRequest>): Promise<Opened> {
  const notes: string[] = [];
  const onNote = (message: string) => void notes.push(message);
  const network = await open(
    { mode: "default", ports: [], dns, hostGateway: false, ...request },
    { store, onNote, makeRoom: async () => false },
  );
  try {
    const { kind, namespace } = network;
    if (typeof namespace !== "object") return { kind, notes };
    const devices = readFileSync(`/proc/${namespace.pid}/net/dev`, "utf8");
    return { kind, notes, interfaces: [...devices.matchAll(/^ *(\w+):/gm)].map(([, name = ""]) => name) };
  } finally {
    await network.close();
  }
}

describe("where the kernel refuses the namespace that routes", needs("root", "privateMounts", "isolatedNetwork"), () => {
  const why =
    "the network keeps the command from this machine's loopback, but not packets that it crafts: putting the network behind one that keeps it from this machine's loopback: the kernel has no veth interfaces";
  let without: Mutant;
  let open: Open;
  beforeAll(async () => {
    const file = "runtime-addon/src/init/router.cc";
    without = await mutant([{ file, from: 'message.add(IFLA_INFO_KIND, "veth");', to: 'message.add(IFLA_INFO_KIND, "no-such-kind");' }]);
    ({ openContainerNetwork: open } = await without.load<{ openContainerNetwork: Open }>("builder/sandbox/network.ts"));
  }, 180_000);

  it.each(["default", "isolated"] as const)("the network of mode %s is still one of its own, and says what it lacks", async (mode) => {
    await using store = await freshStore();
    const made = await opened(open, store, { mode });
    expect(made).toEqual({ kind: "isolated", notes: [why], interfaces: expect.arrayContaining(["lo", expect.stringMatching(/^(?!lo)/)]) });
  });

  it("that is remembered, and only tried again by whoever insists", async () => {
    await using store = await freshStore();
    await opened(open, store, {});
    expect(await opened(openContainerNetwork, store, {})).toMatchObject({ kind: "isolated", notes: [why] });
    expect(await opened(openContainerNetwork, store, { mode: "isolated" })).toMatchObject({ kind: "isolated", notes: [] });
  });

  it("the machine is said to make networks, and what would better them", async () => {
    const { probeHost } = await without.load<typeof import("../../../runtime-addon/index.ts")>("runtime-addon/index.ts");
    expect((await probeHost(temporaryDirectory("probe"))).find(({ name }) => name === "pasta")).toMatchObject({
      ok: true,
      detail: expect.stringContaining("but crafted packets reach this machine's loopback from them: "),
      remedy: "load the module veth (modprobe veth)",
    });
  });
});

describe("a port that was free, and was taken before it was published", () => {
  const cases = [
    { mode: "host", possible: {} },
    { mode: "isolated", possible: needs("sandbox", "isolatedNetwork") },
  ] as const;
  for (const { mode, possible } of cases)
    it(`is another one in the network of mode ${mode}`, possible, async () => {
      await using store = await freshStore();
      const server = createServer();
      await new Promise<void>((listening) => void server.listen(0, "127.0.0.1", listening));
      try {
        const address = server.address();
        const taken = typeof address === "object" ? (address?.port ?? 0) : 0;
        const port = { hostAddress: "127.0.0.1", containerPort: 80, protocol: "tcp" } as const;
        vi.mocked(choosePorts).mockResolvedValueOnce([{ ...port, hostPort: taken, isFree: true }]);
        const { notes } = await opened(openContainerNetwork, store, { mode, ports: [port] });
        expect(notes[0]).toMatch(/^port 80\/tcp is published as 127\.0\.0\.1:\d+$/);
        expect(notes[0]).not.toContain(String(taken));
        expect(notes.filter((note) => note.includes("is published"))).toHaveLength(1);
      } finally {
        await new Promise((closed) => server.close(closed));
      }
    });
});
