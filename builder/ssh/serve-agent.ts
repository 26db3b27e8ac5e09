import { closeSync, constants, openSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { receive, type SshAgent } from "./agent.ts";
import { string } from "./wire.ts";

/** An agent behind a socket. */
export interface ServedAgent {
  readonly path: string;
  /** Ends all connections; the socket is gone. */
  close(): Promise<void>;
}

/** At once; who comes after them is turned away. */
const maxClients = 100;

/** Lets whoever may open the socket `agent` in a directory talk to an agent. */
export async function serveAgent(agent: SshAgent, directory: string): Promise<ServedAgent> {
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    clients.add(client);
    const connection = agent.connect();
    // Answers go back in the order of the requests.
    let last: Promise<unknown> = Promise.resolve();
    let waiting = 0;
    receive(client, (request) => {
      // Who does not take answers is not heard: else they would pile up here.
      client.pause();
      waiting++;
      last = last.then(async () => {
        const answer = await connection.answer(request);
        if (!client.destroyed && !client.write(string(answer))) await writable(client);
        if (--waiting === 0) client.resume();
      });
      last.catch(() => client.destroy());
    });
    client
      .on("error", () => undefined)
      .on("close", () => {
        clients.delete(client);
        connection.close();
      });
  });
  server.maxConnections = maxClients;
  // By way of the directory's descriptor: an address has room for 107 bytes of path (unix(7)).
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(`/proc/self/fd/${fd}/agent`, resolve);
    });
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return {
    path: join(directory, "agent"),
    async close() {
      for (const client of clients) client.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      closeSync(fd);
    },
  };
}

/** Resolves when a socket takes more, or is closed. */
function writable(client: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      client.off("drain", done).off("close", done);
      resolve();
    };
    client.on("drain", done).on("close", done);
  });
}
