import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import type { Credential } from "../../../store/registry/credential.ts";
import { credentialHelper } from "../../../store/registry/credential-helper.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { installHelper, installScript } from "./credential-helper-program.ts";

let directory: string;
let env: Record<string, string>;
beforeEach(() => {
  directory = temporaryDirectory("credential-helper");
  env = { PATH: `${directory}:${process.env.PATH}` };
});

const helper = (options: { timeoutMs?: number } = {}) => credentialHelper("test", { env, ...options });

describe("a credential helper", () => {
  it.each<[name: string, Credential]>([
    ["name and password", { kind: "basic", username: "user", password: 'p:a"ss\\ é\n' }],
    ["an identity token", { kind: "identity", token: "I" }],
  ])("keeps, gives and forgets %s", async (_name, credential) => {
    installHelper(directory, "test");
    const kept = helper();
    expect(await kept.get("registry.example")).toBeUndefined();
    await kept.store("registry.example", credential);
    expect(await kept.get("registry.example")).toEqual(credential);
    expect(await kept.get("other.example")).toBeUndefined();
    await kept.erase("registry.example");
    expect(await kept.get("registry.example")).toBeUndefined();
    await kept.erase("registry.example");
  });

  it("is given the action as its only argument, and all else on standard input", async () => {
    const { log } = installHelper(directory, "test");
    await helper().store("registry.example", { kind: "basic", username: "user", password: "secret" });
    const program = join(directory, "docker-credential-test");
    expect(readFileSync(log, "utf8")).toBe(`${program} store registry.example\n`);
  });

  it("has the caller's environment and no other", async () => {
    env.HELPER_HOME = "here";
    installScript(directory, "test", `printf '{"Username":"%s","Secret":"%s"}' "$HELPER_HOME" "$VITEST_POOL_ID"`);
    expect(await helper().get("r")).toEqual({ kind: "basic", username: "here", password: "" });
  });

  it.each<[name: string, lines: string]>([
    ["says so", 'echo "credentials not found in native keychain"; exit 1'],
    ["says so in other words", 'echo "Credentials not found in store"; exit 1'],
    ["answers with nothing in it", `echo '{"ServerURL":"","Username":"","Secret":""}'`],
  ])("that has nothing %s", async (_name, lines) => {
    installScript(directory, "test", lines);
    expect(await helper().get("r")).toBeUndefined();
  });

  it.each<[name: string, lines: string, message: string]>([
    ["says why on standard output", "echo pass not initialized; exit 1", "asking docker-credential-test to get r: pass not initialized"],
    ["says why on standard error", "echo locked >&2; exit 1", "asking docker-credential-test to get r: locked"],
    ["does not say why", "exit 3", "asking docker-credential-test to get r: it failed and did not say why"],
    ["is killed", "kill -9 $$", "asking docker-credential-test to get r: it failed and did not say why"],
    ["answers without JSON", "echo user:secret", "asking docker-credential-test to get r: it does not answer with Username and Secret"],
    [
      "answers with a part",
      `echo '{"Username":"u"}'`,
      "asking docker-credential-test to get r: it does not answer with Username and Secret",
    ],
    ["does not stop to write", "yes", "running docker-credential-test get: it writes more than 262144 bytes"],
    [
      "attack: fails with a credential in its words",
      `echo '{"Username":"u","Secret":"s3cret"}'; exit 1`,
      "asking docker-credential-test to get r: it failed and did not say why",
    ],
  ])("that fails and %s", async (_name, lines, message) => {
    installScript(directory, "test", lines);
    await expect(helper().get("r")).rejects.toMatchObject({ code: "CREDENTIAL_HELPER", message });
  });

  it("attack: that repeats what it was given to store does not get it printed", async () => {
    installScript(directory, "test", 'sed "s/.*Secret..\\(.*\\)../bad password \\1/"; exit 1');
    await expect(helper().store("r", { kind: "basic", username: "u", password: "s3cret" })).rejects.toMatchObject({
      message: 'asking docker-credential-test to store r: bad password "***',
    });
  });

  it("that is not installed is named", async () => {
    await expect(helper().get("r")).rejects.toMatchObject({
      code: "CREDENTIAL_HELPER",
      message: "running docker-credential-test get: there is no such program on the PATH",
      hint: 'install it, or take "test" out of the configuration of credentials',
    });
  });

  it("that does not answer is ended, with a child that holds its output", async () => {
    installScript(directory, "test", "sleep 600 & echo $! >$0.pid; wait");
    await expect(helper({ timeoutMs: 2_000 }).get("r")).rejects.toMatchObject({
      message: "running docker-credential-test get: no answer within 2 s",
    });
    process.kill(Number(readFileSync(join(directory, "docker-credential-test.pid"), "utf8")), "SIGKILL");
  });

  it("ends when the wait is given up, with the signal's reason", async () => {
    installScript(directory, "test", "exec sleep 600");
    const reason = new Error("enough");
    await expect(helper().get("r", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const cancel = new AbortController();
    const wait = helper().get("r", { signal: cancel.signal });
    cancel.abort(reason);
    await expect(wait).rejects.toBe(reason);
  });

  it.each(["../../evil", "a/b", "", "a b", "a;b", "$(x)", "a\0b", "a\nb"])("attack: no path or command gets in by the name %j", (name) => {
    expect(() => credentialHelper(name, { env })).toThrow(`finding a credential helper: "${name}" cannot be the name of one`);
  });
});
