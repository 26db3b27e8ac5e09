import { readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { isSystemError } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../../store/errors.ts";
import type { SshSource } from "../options.ts";
import { type AgentKey, parsePrivateKey } from "./private-key.ts";
import { string, uint32, wireReader } from "./wire.ts";

/** Message numbers of draft-miller-ssh-agent. */
const failure = 5;
const requestIdentities = 11;
const identitiesAnswer = 12;
const signRequest = 13;
const signResponse = 14;

/** As OpenSSH's own agent. */
const mostMessageBytes = 256 * 1024;

/** Answers the requests of one client, one after the other. */
export interface AgentConnection {
  answer(request: Buffer): Promise<Buffer>;
  close(): void;
}

/** What can be done with keys, and no more: they are listed, and sign. Nobody adds, removes or locks any. */
export interface SshAgent {
  connect(): AgentConnection;
}

/** The caller's agent, or one of our own for key files. Throws SSH_KEY_INVALID, SSH_KEY_ENCRYPTED. */
export async function openAgent(source: SshSource): Promise<SshAgent> {
  if ("socket" in source) return forwarding(source.socket);
  const keys = await Promise.all(source.keys.map(readKey));
  const answer = async (request: Buffer): Promise<Buffer> => answerOf(keys, request);
  return { connect: () => restricted({ answer, close: () => undefined }) };
}

async function readKey(path: string): Promise<AgentKey> {
  try {
    return parsePrivateKey(await readFile(path, "utf8"), path);
  } catch (cause) {
    if (!isSystemError(cause)) throw cause;
    throw new TsbuildError("SSH_KEY_INVALID", `reading the SSH key ${JSON.stringify(path)}: ${cause.code}`, { cause });
  }
}

function restricted({ answer, close }: AgentConnection): AgentConnection {
  return {
    close,
    async answer(request) {
      const [type] = request;
      return type === requestIdentities || type === signRequest ? answer(request) : Buffer.of(failure);
    },
  };
}

function answerOf(keys: readonly AgentKey[], request: Buffer): Buffer {
  if (request[0] === requestIdentities) {
    const list = keys.flatMap(({ blob, comment }) => [string(blob), string(comment)]);
    return Buffer.concat([Buffer.of(identitiesAnswer), uint32(keys.length), ...list]);
  }
  try {
    const reader = wireReader(request.subarray(1));
    const [blob, data, flags] = [reader.string(), reader.string(), reader.uint32()];
    const key = keys.find((one) => one.blob.equals(blob));
    return key === undefined ? Buffer.of(failure) : Buffer.concat([Buffer.of(signResponse), string(key.sign(data, flags))]);
  } catch (error) {
    // What a client says wrongly is its own matter.
    if (error instanceof RangeError) return Buffer.of(failure);
    throw error;
  }
}

/** Each client has a connection of its own, as agents expect it. */
function forwarding(path: string): SshAgent {
  return {
    connect() {
      const socket = connect(path);
      const waiting: { readonly resolve: (answer: Buffer) => void }[] = [];
      // An agent that is gone, or talks nonsense, refuses everything.
      const fail = (): void => {
        for (const { resolve } of waiting.splice(0)) resolve(Buffer.of(failure));
      };
      receive(socket, (answer) => waiting.shift()?.resolve(answer));
      socket.on("error", fail).on("close", fail);
      return restricted({
        close: () => void socket.destroy(),
        answer: (request) =>
          new Promise((resolve) => {
            if (socket.destroyed) return resolve(Buffer.of(failure));
            waiting.push({ resolve });
            socket.write(string(request));
          }),
      });
    },
  };
}

/** Cuts what comes from a socket into messages; one that is too long ends the connection. */
export function receive(socket: Socket, onMessage: (message: Buffer) => void): void {
  let pending: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 4) {
      const length = pending.readUInt32BE();
      if (length > mostMessageBytes) return void socket.destroy();
      if (pending.length < 4 + length) return;
      onMessage(pending.subarray(4, 4 + length));
      pending = pending.subarray(4 + length);
    }
  });
}
