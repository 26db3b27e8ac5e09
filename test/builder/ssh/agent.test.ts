import { execFileSync, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { SshSource } from "../../../builder/options.ts";
import { openAgent, type SshAgent } from "../../../builder/ssh/agent.ts";
import { serveAgent } from "../../../builder/ssh/serve-agent.ts";
import { command } from "../../support/command.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function served(source: SshSource): Promise<string> {
  const agent = await serveAgent(await openAgent(source), temporaryDirectory("ssh-socket"));
  closing.push(() => agent.close());
  return agent.path;
}

function keygen(type: string, ...args: string[]): string {
  const file = join(temporaryDirectory("ssh-key"), "id");
  execFileSync("ssh-keygen", ["-q", "-t", type, "-N", "", "-C", `a ${type} key`, "-f", file, ...args]);
  return file;
}

/** ssh's own client: lists, and makes a signature that ssh-keygen checks. */
async function use(socket: string, file: string): Promise<{ readonly listed: string; readonly verified: string }> {
  const env = { ...process.env, SSH_AUTH_SOCK: socket };
  const { stdout: listed } = await command(["ssh-add", "-L"], { env });
  const { stdout: signature, stderr } = await command(["ssh-keygen", "-Y", "sign", "-n", "file", "-f", `${file}.pub`], {
    env,
    stdin: "data",
  });
  const directory = temporaryDirectory("ssh-verify");
  writeFileSync(join(directory, "signature"), signature);
  writeFileSync(join(directory, "signers"), `me ${listed.split("\n")[0]}\n`);
  const verify: [string, ...string[]] = ["ssh-keygen", "-Y", "verify", "-f", "signers", "-I", "me", "-n", "file", "-s", "signature"];
  const { stdout } = await command(verify, { cwd: directory, stdin: "data" });
  return { listed, verified: `${stdout}${stderr.includes("refused") ? stderr : ""}` };
}

describe("an agent of key files", () => {
  it.each<[string, ...string[]]>([
    ["ed25519"],
    ["rsa", "-b", "2048"],
    ["rsa", "-b", "2048", "-m", "PEM"],
    ["ecdsa", "-b", "256"],
    ["ecdsa", "-b", "384"],
    ["ecdsa", "-b", "521"],
  ])("signs with %s %s %s", async (type, ...args) => {
    const file = keygen(type, ...args);
    const { listed, verified } = await use(await served({ keys: [file] }), file);
    expect(listed.split(" ").slice(0, 2)).toEqual(
      execFileSync("ssh-keygen", ["-y", "-f", file], { encoding: "utf8" }).trim().split(" ").slice(0, 2),
    );
    expect(verified).toMatch(/^Good "file" signature for me/);
  });

  it("refuses keys that it cannot use, and shows nothing of them", async () => {
    const encrypted = join(temporaryDirectory("ssh-key"), "id");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "passphrase", "-f", encrypted]);
    await expect(openAgent({ keys: [encrypted] })).rejects.toMatchObject({ code: "SSH_KEY_ENCRYPTED" });
    const pem = join(temporaryDirectory("ssh-key"), "pem");
    const { privateKey } = generateKeyPairSync("ed25519");
    writeFileSync(pem, privateKey.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" }));
    await expect(openAgent({ keys: [pem] })).rejects.toMatchObject({ code: "SSH_KEY_ENCRYPTED" });
    writeFileSync(pem, "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----\n");
    await expect(openAgent({ keys: [pem] })).rejects.toMatchObject({
      code: "SSH_KEY_INVALID",
      message: `reading the SSH key ${JSON.stringify(pem)}: it is no Ed25519, RSA or ECDSA private key`,
    });
  });
});

describe("the caller's agent", () => {
  async function sshAgent(): Promise<string> {
    const socket = join(temporaryDirectory("ssh-agent"), "s");
    const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: ["ignore", "pipe", "ignore"] });
    closing.push(async () => {
      agent.kill();
      await once(agent, "close");
    });
    await once(agent.stdout, "data");
    return socket;
  }

  it("signs through the socket, which lets nobody add, remove or lock keys", async () => {
    const socket = await sshAgent();
    const file = keygen("ed25519");
    execFileSync("ssh-add", ["-q", file], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
    const path = await served({ socket });
    expect((await use(path, file)).verified).toMatch(/^Good/);
    for (const args of [["-D"], ["-d", `${file}.pub`], [keygen("ed25519")]]) {
      expect((await command(["ssh-add", ...args], { env: { ...process.env, SSH_AUTH_SOCK: path } })).code, String(args)).not.toBe(0);
    }
    expect(
      execFileSync("ssh-add", ["-L"], { env: { ...process.env, SSH_AUTH_SOCK: socket }, encoding: "utf8" })
        .trim()
        .split("\n"),
    ).toHaveLength(1);
  });

  it("that is gone refuses, and ends nothing", async () => {
    const path = await served({ socket: "/no/such/agent" });
    const { code, stderr, stdout } = await command(["ssh-add", "-l"], { env: { ...process.env, SSH_AUTH_SOCK: path } });
    expect([code, `${stdout}${stderr}`]).toEqual([expect.any(Number), expect.stringMatching(/refused|no identities|failure/i)]);
  });

  it("closes on a client that sends more than a message may have", async () => {
    const client = connect(await served({ keys: [] }));
    client.write(Buffer.from("ffffffff00", "hex"));
    await once(client, "close");
  });
});

describe("a client that floods an agent", () => {
  it("is not heard while it does not take its answers, and gets all of them when it does", async () => {
    let answered = 0;
    const answer = Buffer.alloc(65_536, 12);
    const agent: SshAgent = {
      connect: () => ({
        answer: async () => {
          answered++;
          return answer;
        },
        close: () => {},
      }),
    };
    const { path, close } = await serveAgent(agent, temporaryDirectory("ssh-flood"));
    closing.push(close);
    const client = connect(path).pause();
    await once(client, "connect");
    const asked = 1000;
    client.write(Buffer.concat(Array.from({ length: asked }, () => Buffer.from([0, 0, 0, 1, 11]))));
    await expect.poll(() => answered).toBeGreaterThan(0);
    for (let turn = 0; turn < 2000; turn++) await new Promise(setImmediate);
    expect(answered).toBeLessThan(asked / 10);
    let bytes = 0;
    client.resume().on("data", (chunk: Buffer) => {
      bytes += chunk.length;
    });
    await expect.poll(() => bytes, { timeout: 20_000 }).toBe(asked * (4 + answer.length));
    client.destroy();
  });
});
