import { createSocket } from "node:dgram";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { type ChosenPort, choosePorts, noteChoices } from "../../../builder/sandbox/port-choice.ts";
import { publishPorts, refuseTakenPorts } from "../../../builder/sandbox/port-forward.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

/** A server on loopback, as a container's; gone after the test. */
async function serve(handle: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    handle(socket);
  });
  await listening(server);
  open.push({
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  });
  return portOf(server);
}

function listening(server: Server): Promise<void> {
  return new Promise((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await listening(server);
  const port = portOf(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function publish(mapping: Partial<ChosenPort> & Pick<ChosenPort, "containerPort">): Promise<number> {
  const hostPort = await freePort();
  const published = await publishPorts([{ hostPort, hostAddress: "127.0.0.1", protocol: "tcp", ...mapping }]);
  open.push(published);
  return hostPort;
}

/** Sends bytes, says that no more will come, and collects what comes back until the other side's end. */
function exchange(port: number, sent: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true }, () => socket.end(sent));
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("end", () => resolve(Buffer.concat(chunks)));
    socket.on("error", reject);
  });
}

describe("a published port", () => {
  it("leads to the container's, both ways, whatever the bytes", async () => {
    const port = await publish({ containerPort: await serve((socket) => socket.pipe(socket)) });
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7) & 0xff));
    expect(await exchange(port, bytes)).toEqual(bytes);
  });

  it("lets a server answer a client that has already said all", async () => {
    const containerPort = await serve((socket) => {
      const chunks: Buffer[] = [];
      socket.on("data", (chunk) => chunks.push(chunk));
      socket.on("end", () => setTimeout(() => socket.end(`got ${Buffer.concat(chunks)}`), 20));
    });
    expect(String(await exchange(await publish({ containerPort }), Buffer.from("all")))).toBe("got all");
  });

  it("delivers everything that a server sent before it ended", async () => {
    const sent = Buffer.alloc(5 << 20, "x");
    const port = await publish({ containerPort: await serve((socket) => socket.end(sent)) });
    expect((await exchange(port, Buffer.alloc(0))).length).toBe(sent.length);
  });

  it("serves many at once", async () => {
    const port = await publish({ containerPort: await serve((socket) => socket.pipe(socket)) });
    const all = await Promise.all(Array.from({ length: 50 }, (_, i) => exchange(port, Buffer.from(`client ${i}`))));
    expect(all.map(String)).toEqual(Array.from({ length: 50 }, (_, i) => `client ${i}`));
  });

  it("ends a connection where nothing listens inside, and serves the next", async () => {
    const containerPort = await freePort();
    const port = await publish({ containerPort });
    await expect(exchange(port, Buffer.from("x"))).rejects.toMatchObject({ code: "ECONNRESET" });
    const server = createServer((socket) => socket.end("here"));
    await new Promise<void>((resolve) => server.listen(containerPort, "127.0.0.1", resolve));
    open.push({ close: () => new Promise((resolve) => server.close(() => resolve())) });
    expect(String(await exchange(port, Buffer.alloc(0)))).toBe("here");
  });

  it("is closed though a connection is open, which ends with it", async () => {
    const containerPort = await serve(() => {});
    const hostPort = await freePort();
    const published = await publishPorts([{ hostPort, hostAddress: "127.0.0.1", containerPort, protocol: "tcp" }]);
    const socket = connect(hostPort, "127.0.0.1");
    const ended = new Promise((resolve) => socket.on("error", () => {}).on("close", resolve));
    await new Promise((resolve) => socket.on("connect", resolve));
    await published.close();
    await ended;
    await expect(exchange(hostPort, Buffer.alloc(0))).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it("is the container's own where both numbers are the same: nothing is opened", async () => {
    const port = await freePort();
    const published = await publishPorts([
      { hostPort: port, containerPort: port, protocol: "tcp" },
      { hostPort: port, containerPort: port, protocol: "udp" },
    ]);
    open.push(published);
    await expect(exchange(port, Buffer.alloc(0))).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });
});

describe("a port that cannot be published", () => {
  it("is taken; those opened before it are closed again", async () => {
    const taken = await serve(() => {});
    const first = await freePort();
    const ports = [
      { hostPort: first, hostAddress: "127.0.0.1", containerPort: taken, protocol: "tcp" },
      { hostPort: taken, hostAddress: "127.0.0.1", containerPort: 1, protocol: "tcp" },
    ] as const;
    await expect(publishPorts(ports)).rejects.toMatchObject({
      code: "PORT_IN_USE",
      message: `publishing port ${taken}: another program listens on it`,
    });
    await expect(exchange(first, Buffer.alloc(0))).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it("is on an address that is not this machine's", async () => {
    await expect(publishPorts([{ hostPort: 0, hostAddress: "192.0.2.1", containerPort: 1, protocol: "tcp" }])).rejects.toMatchObject({
      code: "PORT_UNAVAILABLE",
    });
  });

  it.each<[name: string, port: ChosenPort, message: string]>([
    [
      "udp under another number",
      { hostPort: 1, containerPort: 2, protocol: "udp" },
      "publishing 1:2/udp: only tcp ports can be mapped to another number",
    ],
    [
      "udp of which nobody named the host's number",
      { hostPort: 49_999, containerPort: 53, protocol: "udp", isFree: true },
      "publishing 53/udp: in the host's network only tcp ports can be given one that is free",
    ],
    [
      "the same number on one address",
      { hostAddress: "127.0.0.1", hostPort: 1, containerPort: 1, protocol: "tcp" },
      "publishing 127.0.0.1:1: the container shares the host's network and listens on its own address",
    ],
  ])("is %s", async (_name, port, message) => {
    await expect(publishPorts([port])).rejects.toMatchObject({ code: "UNSUPPORTED_PORT", message });
  });
});

describe("ports that pasta is to take", () => {
  it("are refused where another program has them, of udp too", async () => {
    const socket = createSocket("udp4");
    await new Promise<void>((bound) => socket.bind(0, "127.0.0.1", bound));
    open.push({ close: () => new Promise<void>((closed) => void socket.close(() => closed())) });
    const port: ChosenPort = { hostAddress: "127.0.0.1", hostPort: socket.address().port, containerPort: 53, protocol: "udp" };
    await expect(refuseTakenPorts([port])).rejects.toMatchObject({
      code: "PORT_IN_USE",
      message: `publishing port ${port.hostPort}: another program listens on it`,
    });
    await open.pop()?.close();
    await refuseTakenPorts([port]);
  });
});

describe("a port of the host that nobody named", () => {
  it.each<[name: string, hostAddress: string | undefined, protocol: "tcp" | "udp", note: RegExp]>([
    ["on one address", "127.0.0.1", "tcp", /^port 80\/tcp is published as 127\.0\.0\.1:(\d+)$/],
    ["on all", undefined, "tcp", /^port 80\/tcp is published as port (\d+)$/],
    ["of udp", "127.0.0.1", "udp", /^port 80\/udp is published as 127\.0\.0\.1:(\d+)$/],
  ])("is a free one, and is told: %s", async (_name, hostAddress, protocol, note) => {
    const notes: string[] = [];
    const mapping = { ...(hostAddress === undefined ? {} : { hostAddress }), containerPort: 80, protocol };
    const chosen = await choosePorts([mapping, { ...mapping, hostPort: 8 }, mapping]);
    const [first, second, third] = chosen;
    noteChoices(chosen, (message) => notes.push(message));
    expect(notes.map((text) => Number(note.exec(text)?.[1]))).toEqual([first?.hostPort, third?.hostPort]);
    expect(first?.hostPort).not.toBe(third?.hostPort);
    expect(second?.hostPort).toBe(8);
  });

  it("cannot be had on an address that is not this machine's", async () => {
    const ports = [{ hostAddress: "203.0.113.1", containerPort: 80, protocol: "tcp" }] as const;
    await expect(choosePorts(ports)).rejects.toMatchObject({ code: "PORT_UNAVAILABLE" });
  });
});
