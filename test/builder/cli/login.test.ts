import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { login } from "../../../builder/cli/login.ts";
import { installHelper } from "../../store/registry/credential-helper-program.ts";
import { type FakeRegistry, startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { type FakeIo, fakeIo } from "./fake-io.ts";
import { typingTerminal } from "./typing-terminal.ts";

let home: string;
let env: Record<string, string>;
let file: string;
let registry: FakeRegistry;
beforeEach(async () => {
  home = temporaryDirectory("login");
  env = { HOME: home, PATH: `${home}:${process.env.PATH}`, XDG_CONFIG_HOME: join(home, ".config"), XDG_RUNTIME_DIR: join(home, "run") };
  file = join(home, ".docker/config.json");
  registry = await startFakeRegistry({ auth: "bearer", users: { user: "s3cret" } });
});
afterEach(() => registry.close());

const kept = (path = file) => JSON.parse(readFileSync(path, "utf8"));
const auth = { auth: Buffer.from("user:s3cret").toString("base64") };
const plain = (path = file) => `note: the password is kept unencrypted in ${path}; a credential helper ("credsStore") would keep it safe\n`;
const piped = (stdin: string | Uint8Array, more: Record<string, string> = {}): FakeIo => fakeIo({ env: { ...env, ...more }, stdin });

describe("login", () => {
  it.each([["s3cret"], ["s3cret\n"], ["s3cret\r\n"]])("takes the password %j from standard input", async (stdin) => {
    const io = piped(stdin);
    expect(await login.main(["-u", "user", "--password-stdin", registry.host], io)).toBe(0);
    expect(io.printed).toEqual({ stdout: "Login succeeded\n", stderr: plain() });
    expect(kept()).toEqual({ auths: { [registry.host]: auth } });
  });

  it("asks at a terminal, and does not show the password", async () => {
    const io = typingTerminal(["user\n", "s3cret\r"], undefined, { env });
    expect(await login.main([registry.host], io)).toBe(0);
    expect(io.printed).toEqual({ stdout: "Login succeeded\n", stderr: `Username: Password: \n${plain()}` });
    expect([io.modes, io.closed()]).toEqual([[true, false], true]);
    expect(kept()).toEqual({ auths: { [registry.host]: auth } });
  });

  it("asks for the password alone where the name is given", async () => {
    const io = typingTerminal(["s3cret\r"], undefined, { env });
    expect(await login.main(["-u", "user", registry.host], io)).toBe(0);
    expect(io.printed.stderr).toBe(`Password: \n${plain()}`);
  });

  it.each([["\x03"], ["\x04"]])("ends when the answer is %j", async (key) => {
    const io = typingTerminal(["user\n", key], undefined, { env });
    expect(await login.main([registry.host], io)).toBe(130);
    expect(io.printed.stderr).toBe("Username: Password: \ncancelled\n");
    expect(registry.requests).toEqual([]);
  });

  it("keeps the credential with the configured helper, and nothing in the file", async () => {
    const { log } = installHelper(home, "test");
    mkdirSync(join(home, ".docker"));
    writeFileSync(file, JSON.stringify({ credsStore: "test" }));
    const io = piped("s3cret");
    await login.main(["-u", "user", "--password-stdin", registry.host], io);
    expect(io.printed).toEqual({ stdout: "Login succeeded\n", stderr: "" });
    expect(kept()).toEqual({ credsStore: "test", auths: { [registry.host]: {} } });
    expect(readFileSync(log, "utf8")).not.toContain("s3cret");
  });

  it("keeps an identity token in the password's place where the registry gives one", async () => {
    Object.assign(registry.behaviour, { refreshToken: "identity", tokenMethods: ["POST"] });
    const io = piped("s3cret");
    await login.main(["-u", "user", "--password-stdin", registry.host], io);
    expect(io.printed.stderr).toBe(plain().replace("the password", "the identity token"));
    expect(kept()).toEqual({ auths: { [registry.host]: { identitytoken: "identity" } } });
  });

  it("writes to --authfile", async () => {
    const path = join(home, "auth.json");
    const io = piped("s3cret");
    await login.main(["-u", "user", "--password-stdin", "--authfile", path, registry.host], io);
    expect([kept(path), io.printed.stderr]).toEqual([{ auths: { [registry.host]: auth } }, plain(path)]);
  });

  it("says when the registry asks nobody for a password", async () => {
    registry.behaviour.auth = "none";
    const io = piped("anything");
    expect(await login.main(["-u", "user", "--password-stdin", registry.host], io)).toBe(0);
    expect(io.printed.stderr).toBe(`note: ${registry.host} lets everybody in: the password was not checked\n${plain()}`);
  });

  it("says when a variable has another credential, which is used", async () => {
    const io = piped("s3cret", { DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { [registry.host]: { auth: "YTpi" } } }) });
    await login.main(["-u", "user", "--password-stdin", registry.host], io);
    expect(io.printed.stderr).toBe(`${plain()}note: $DOCKER_AUTH_CONFIG has credentials for ${registry.host} too, and those are used\n`);
  });

  it("keeps nothing that the registry refuses, and does not repeat it", async () => {
    const io = piped("wr0ng");
    const error = await login.main(["-u", "user", "--password-stdin", registry.host], io).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ code: "REGISTRY_DENIED" });
    expect(JSON.stringify([error, (error as Error).message, (error as Error).cause, io.printed])).not.toContain("wr0ng");
    expect(() => kept()).toThrow("ENOENT");
  });
});

describe("login is wrong", () => {
  it.each<[name: string, argv: string[], stdin: string, code: string, message: string]>([
    ["without a terminal", [], "", "NOT_A_TERMINAL", "asking for the name and the password: standard input is not a terminal"],
    [
      "with a name and no terminal",
      ["-u", "user"],
      "",
      "NOT_A_TERMINAL",
      "asking for the name and the password: standard input is not a terminal",
    ],
    [
      "with a piped password and no name",
      ["--password-stdin"],
      "s",
      "MISSING_VALUE",
      "reading the command line: --password-stdin needs --username",
    ],
    [
      "with a password in the command line",
      ["-u", "user", "-p", "a"],
      "s",
      "UNSUPPORTED_FLAG",
      "reading the command line: -p is not supported: every user of this machine can read it in the command line: --password-stdin",
    ],
    ["with an empty password", ["-u", "user", "--password-stdin"], "\n", "INVALID_VALUE", "reading the password: it is empty"],
    [
      "with an endless password",
      ["-u", "user", "--password-stdin"],
      "a".repeat(65537),
      "INVALID_VALUE",
      "reading the password from standard input: it is longer than 65536 bytes",
    ],
    [
      "with a colon in the name",
      ["-u", "a:b", "--password-stdin"],
      "s",
      "INVALID_VALUE",
      'reading --username: "a:b" holds a colon or a control character',
    ],
    [
      "at a repository",
      ["ghcr.io/owner/app"],
      "",
      "INVALID_VALUE",
      'reading HOST: "ghcr.io/owner/app" names a repository, and credentials are kept for a whole registry',
    ],
    ["at what is no host", ["a b"], "", "INVALID_VALUE", 'reading HOST: "a b" is no registry host'],
    ["at two hosts", ["a", "b"], "", "WRONG_OPERANDS", "reading the command line: login takes no more than [HOST], got a b"],
  ])("%s", async (_name, argv, stdin, code, message) => {
    await expect(login.main(argv, piped(stdin))).rejects.toMatchObject({ code, message });
  });

  it("with an empty name at a terminal", async () => {
    await expect(login.main([], typingTerminal(["\n"], undefined, { env }))).rejects.toThrow(
      "reading the name of the account: it is empty",
    );
  });
});
