import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mutant } from "../support/mutant.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { type BoxChanges, box } from "./box.ts";

const REFUSED = "errno 111\n";
const NOT_PERMITTED = "errno 1\n";

const name = `tsbuild-test-${randomBytes(6).toString("hex")}`;
let attack = "";
let server: ChildProcess | undefined;

beforeAll(async () => {
  attack = join(temporaryDirectory("attack"), "abstract-socket");
  execFileSync("gcc", ["-static", "-o", attack, fileURLToPath(new URL("abstract-socket.c", import.meta.url))]);
  server = spawn(attack, ["serve", name], { stdio: ["ignore", "pipe", "inherit"] });
  if (server.stdout !== null) await once(server.stdout, "data");
});

afterAll(async () => {
  if (server?.kill("SIGKILL")) await once(server, "exit");
});

async function ask(changes: BoxChanges, initPath?: string): Promise<string> {
  return (await attacking(`ask ${name}`, changes, initPath)).stdout;
}

function attacking(words: string, changes: BoxChanges = {}, initPath?: string) {
  const mounts = [{ kind: "bind", source: attack, target: "/attack", readOnly: true }] as const;
  return box(`/attack ${words}`, { mounts, ...changes }, initPath === undefined ? {} : { initPath });
}

describe("an abstract unix socket of the host", needs("root", "privateMounts", "socketScopes"), () => {
  it("cannot be connected to with the host's network", async () => {
    expect(await ask({ network: "host" })).toBe(NOT_PERMITTED);
  });

  it("cannot be connected to by another user, nor with capabilities and all calls", async () => {
    expect(await ask({ process: { uid: 1000, gid: 1000 } })).toBe(NOT_PERMITTED);
    const open: BoxChanges = { privileged: { devices: [] }, process: { seccomp: "unconfined", capabilities: ["SYS_ADMIN"] } };
    expect(await ask(open)).toBe(NOT_PERMITTED);
  });

  it("is not there with a network of its own", async () => {
    expect(await ask({ network: "none" })).toBe(REFUSED);
  });

  it("can be connected to where nothing keeps the command from it", { timeout: 180_000 }, async () => {
    const line = "if (spec.scope) scope_abstract_sockets(status);";
    const open = await mutant([{ file: "runtime-addon/src/init/init.cc", from: line, to: "" }]);
    expect(await ask({ network: "host" }, open.helper)).toBe("hello\n");
  });

  it("does not keep commands from their own", async () => {
    expect((await attacking(`both own-${name}`)).stdout).toBe("hello\n");
  });
});
