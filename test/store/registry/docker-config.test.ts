import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import type { Credential } from "../../../store/registry/credential.ts";
import { type DockerConfigOptions, dockerCredentials } from "../../../store/registry/docker-config.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { installHelper, installScript } from "./credential-helper-program.ts";

let home: string;
let env: Record<string, string>;
let warnings: string[];
beforeEach(() => {
  home = temporaryDirectory("docker-config");
  // A runtime directory of its own: the machine's real one must not answer.
  env = { PATH: `${home}:${process.env.PATH}`, XDG_RUNTIME_DIR: join(home, "run") };
  warnings = [];
});

const base64 = (text: string) => Buffer.from(text).toString("base64");
const auth = (username: string, password = "p") => ({ auth: base64(`${username}:${password}`) });
const basic = (username: string, password = "p"): Credential => ({ kind: "basic", username, password });

function write(file: string, content: unknown): string {
  const path = join(home, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}
const writeConfig = (content: unknown) => write(".docker/config.json", content);

function open(options: Partial<DockerConfigOptions> = {}) {
  return dockerCredentials({ env, home, warn: (message) => warnings.push(message), ...options });
}

describe("an entry", () => {
  it.each<[name: string, entry: object, expected: Credential | undefined]>([
    ["auth", { auth: base64("user:pass") }, basic("user", "pass")],
    ["auth, the password with colons", { auth: base64("user:a:b:c") }, basic("user", "a:b:c")],
    ["auth, the password empty", { auth: base64("user:") }, basic("user", "")],
    ["auth, NULs behind the password", { auth: base64("user:pass\0\0") }, basic("user", "pass")],
    ["auth without padding", { auth: base64("user:pass").replace(/=+$/, "") }, basic("user", "pass")],
    ["auth in UTF-8", { auth: base64("usér:päss") }, basic("usér", "päss")],
    ["username and password", { username: "user", password: "pass" }, basic("user", "pass")],
    [
      "identitytoken, beside what Docker leaves in auth",
      { auth: base64("00000000:"), identitytoken: "I" },
      { kind: "identity", token: "I" },
    ],
    ["registrytoken", { registrytoken: "B", identitytoken: "I" }, { kind: "bearer", token: "B" }],
    ["with nothing in it", {}, undefined],
    ["of empty texts", { auth: "", identitytoken: "", email: "a@b" }, undefined],
    ["of Go's nulls", { auth: null, identitytoken: null }, undefined],
  ])("%s", async (_name, entry, expected) => {
    writeConfig({ auths: { "registry.example": entry } });
    expect(await open().find("registry.example")).toEqual(expected);
  });
});

describe("a key of auths", () => {
  it.each<[key: string, registry: string, found: boolean]>([
    ["registry.example", "registry.example", true],
    ["REGISTRY.example", "registry.example", true],
    ["https://registry.example", "registry.example", true],
    ["http://registry.example/", "registry.example", true],
    ["https://registry.example/v1/", "registry.example", true],
    ["https://registry.example/some/path", "registry.example", true],
    ["registry.example/v2/", "registry.example", true],
    ["localhost:5000", "localhost:5000", true],
    ["localhost:5000", "localhost", false],
    ["localhost", "localhost:5000", false],
    ["registry.example.evil", "registry.example", false],
    ["https://index.docker.io/v1/", "docker.io", true],
    ["index.docker.io", "docker.io", true],
    ["registry-1.docker.io", "docker.io", true],
    ["docker.io", "docker.io", true],
    ["https://index.docker.io/v1/access-token", "docker.io", true],
    ["hub.docker.com", "docker.io", false],
    ["registry.example/team", "registry.example", false],
    ["__proto__", "constructor", false],
  ])("%s is for %s: %s", async (key, registry, found) => {
    writeConfig({ auths: { [key]: auth("user") } });
    expect(await open().find(registry, "app")).toEqual(found ? basic("user") : undefined);
  });

  it("as Docker writes it comes before other forms of it", async () => {
    writeConfig({ auths: { "docker.io": auth("second"), "https://index.docker.io/v1/": auth("first"), "index.docker.io": auth("third") } });
    expect(await open().find("docker.io", "library/app")).toEqual(basic("first"));
  });

  it.each<[repository: string, username: string]>([
    ["team/app", "app"],
    ["team/app/part", "app"],
    ["team/apple", "team"],
    ["teams/app", "host"],
    ["other", "host"],
  ])("below a host counts for what lies there, the longest first: %s has %s", async (repository, username) => {
    write("auth.json", {
      auths: { "registry.example": auth("host"), "registry.example/team": auth("team"), "registry.example/team/app": auth("app") },
    });
    env.REGISTRY_AUTH_FILE = join(home, "auth.json");
    expect(await open().find("registry.example", repository)).toEqual(basic(username));
  });
});

describe("the places", () => {
  const entry = (username: string) => ({ auths: { "registry.example": auth(username) } });
  const setEnv = (name: string, value: string): undefined => {
    env[name] = value;
  };
  /** All of them, the first first. */
  const places: readonly [name: string, fill: () => Partial<DockerConfigOptions> | undefined][] = [
    ["flag", () => ({ authFile: write("flag.json", entry("flag")) })],
    ["$DOCKER_AUTH_CONFIG", () => setEnv("DOCKER_AUTH_CONFIG", JSON.stringify(entry("$DOCKER_AUTH_CONFIG")))],
    ["$REGISTRY_AUTH_FILE", () => setEnv("REGISTRY_AUTH_FILE", write("registry-auth.json", entry("$REGISTRY_AUTH_FILE")))],
    ["~/.docker", () => void writeConfig(entry("~/.docker"))],
    ["$XDG_RUNTIME_DIR", () => void write("run/containers/auth.json", entry("$XDG_RUNTIME_DIR"))],
    ["~/.config", () => void write(".config/containers/auth.json", entry("~/.config"))],
  ];

  it.each(places.map(([name], i) => [name, i] as const))("%s comes before those behind it", async (name, i) => {
    const options = Object.assign({}, ...places.slice(i).map(([, fill]) => fill() ?? {}));
    expect(await open(options).find("registry.example")).toEqual(basic(name));
  });

  it("are passed over where they have nothing for the registry", async () => {
    env.DOCKER_AUTH_CONFIG = "{}";
    env.REGISTRY_AUTH_FILE = join(home, "missing.json");
    writeConfig({ auths: { other: auth("other") } });
    write("run/containers/auth.json", entry("podman"));
    expect(await open().find("registry.example")).toEqual(basic("podman"));
    expect(await open().placeOf("registry.example")).toEqual({ where: join(home, "run/containers/auth.json") });
    expect(await open().placeOf("nowhere")).toBeUndefined();
  });

  it("are login's own in the file that it writes to, for all of a registry, and there alone", async () => {
    env.DOCKER_AUTH_CONFIG = JSON.stringify({ auths: { "variable.example": auth("a") } });
    writeConfig({ auths: { "registry.example": auth("a"), "registry.example/below": auth("b"), "variable.example": auth("a") } });
    const where = join(home, ".docker/config.json");
    const credentials = open();
    expect(await credentials.placeOf("registry.example", "app")).toEqual({ where, isLogin: true });
    expect(await credentials.placeOf("registry.example", "below/app")).toEqual({ where });
    expect(await credentials.placeOf("variable.example")).toEqual({ where: "$DOCKER_AUTH_CONFIG" });
  });

  it.each<[variable: string, file: string]>([
    ["DOCKER_CONFIG", "config.json"],
    ["XDG_CONFIG_HOME", "containers/auth.json"],
  ])("$%s moves one", async (variable, file) => {
    writeConfig(entry("home"));
    write(".config/containers/auth.json", entry("home"));
    write(join("elsewhere", file), entry("elsewhere"));
    env[variable] = join(home, "elsewhere");
    if (variable === "XDG_CONFIG_HOME") writeConfig({});
    expect(await open().find("registry.example")).toEqual(basic("elsewhere"));
  });

  it("$DOCKER_AUTH_CONFIG comes last in GitLab's jobs, where it is the runner's", async () => {
    env.GITLAB_CI = "true";
    env.DOCKER_AUTH_CONFIG = JSON.stringify({ auths: { "registry.example": auth("runner"), "base.example": auth("runner") } });
    writeConfig(entry("job"));
    expect(await open().find("registry.example")).toEqual(basic("job"));
    expect(await open().find("base.example")).toEqual(basic("runner"));
  });

  it("are read once, and when they are needed", async () => {
    const credentials = open();
    writeConfig(entry("before"));
    expect(await credentials.find("registry.example")).toEqual(basic("before"));
    writeConfig(entry("after"));
    expect(await credentials.find("registry.example")).toEqual(basic("before"));
  });
});

describe("what cannot be read", () => {
  it.each<[name: string, content: unknown, why: string]>([
    ["no JSON", '{"auths": s3cret', "it is no JSON"],
    ["no object", "[]", "it is no JSON object"],
    ["auths that are none", { auths: ["s3cret"] }, "auths is no object"],
    ["an entry that is none", { auths: { "registry.example": "s3cret" } }, "registry.example is no object"],
    ["no base64", { auths: { "registry.example": { auth: "s3cret!" } } }, "auth of registry.example is not the base64 of name:password"],
    [
      "base64 without a colon",
      { auths: { "registry.example": { auth: base64("s3cret") } } },
      "auth of registry.example is not the base64 of name:password",
    ],
    ["a token that is no text", { auths: { "registry.example": { identitytoken: 1 } } }, "identitytoken of registry.example is no text"],
    ["a store that is no text", { credsStore: {} }, "credsStore is no text"],
    ["a helper that is no text", { credHelpers: { "registry.example": [] } }, "credHelpers of registry.example is no text"],
  ])("%s is an error that names the file, and quotes nothing", async (_name, content, why) => {
    const path = writeConfig(content);
    const error = await open()
      .find("registry.example")
      .catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ code: "CREDENTIALS_UNREADABLE", message: `reading the credentials in ${path}: ${why}` });
    expect(JSON.stringify([error, (error as Error).cause, (error as Error).stack])).not.toContain("s3cret");
  });

  it("a variable is named as such", async () => {
    env.DOCKER_AUTH_CONFIG = "s3cret";
    await expect(open().find("r")).rejects.toThrow("reading the credentials in $DOCKER_AUTH_CONFIG: it is no JSON");
  });

  it("a directory in a file's place", async () => {
    mkdirSync(join(home, ".docker/config.json"), { recursive: true });
    await expect(open().find("r")).rejects.toMatchObject({ code: "CREDENTIALS_UNREADABLE" });
  });

  it("another registry's broken entry is passed over", async () => {
    writeConfig({ auths: { broken: { auth: "!" }, "registry.example": auth("user") } });
    expect(await open().find("registry.example")).toEqual(basic("user"));
  });

  it.each([
    ["an empty file", ""],
    ["blanks", " \n"],
    ["null fields", { auths: null, credHelpers: null, credsStore: null }],
  ])("%s is an empty configuration", async (_name, content) => {
    writeConfig(content);
    expect(await open().find("r")).toBeUndefined();
  });
});

describe("credential helpers", () => {
  const says = (name: string, username: string) =>
    installScript(home, name, `cat >>${home}/asked; echo '{"Username":"${username}","Secret":"p"}'`);

  it("the registry's own comes before the store, and both before what is written", async () => {
    says("own", "own");
    says("store", "store");
    writeConfig({
      credHelpers: { "a.example": "own" },
      credsStore: "store",
      auths: { "a.example": auth("written"), "b.example": auth("written") },
    });
    const credentials = open();
    expect([await credentials.find("a.example"), await credentials.find("b.example")]).toEqual([basic("own"), basic("store")]);
    const where = join(home, ".docker/config.json");
    expect(await credentials.placeOf("a.example")).toEqual({ where, helper: "own" });
    expect(await credentials.placeOf("b.example", "app")).toEqual({ where, helper: "store" });
  });

  it.each<[name: string, config: object, registry: string, server: string]>([
    ["Docker Hub", {}, "docker.io", "https://index.docker.io/v1/"],
    ["a host", {}, "registry.example", "registry.example"],
    [
      "a host that was logged in to by another name",
      { auths: { "https://registry.example/v2/": {} } },
      "registry.example",
      "https://registry.example/v2/",
    ],
  ])("are asked for %s as it was stored", async (_name, config, registry, server) => {
    installScript(home, "store", `[ "$(cat)" = "${server}" ] && echo '{"Username":"<token>","Secret":"I"}'`);
    writeConfig({ ...config, credsStore: "store" });
    expect(await open().find(registry)).toEqual({ kind: "identity", token: "I" });
  });

  it("are asked once for all repositories", async () => {
    const { log } = installHelper(home, "store");
    writeConfig({ credsStore: "store", auths: { "registry.example": auth("written") } });
    const credentials = open();
    await Promise.all(["a", "b", "c"].map((repository) => credentials.find("registry.example", repository)));
    expect(readFileSync(log, "utf8").trim().split("\n")).toHaveLength(1);
  });

  it("that have nothing leave the word to what is written, and to the next file", async () => {
    installHelper(home, "store");
    writeConfig({ credsStore: "store", auths: { "a.example": auth("written"), "b.example": {} } });
    write(".config/containers/auth.json", { auths: { "b.example": auth("podman") } });
    expect([await open().find("a.example"), await open().find("b.example")]).toEqual([basic("written"), basic("podman")]);
    expect(warnings).toEqual([]);
  });

  it("a store that is not installed keeps nobody from a registry that nothing is kept of", async () => {
    writeConfig({ credsStore: "desktop.exe", auths: { "a.example": auth("written") } });
    const credentials = open();
    expect([await credentials.find("public.example"), await credentials.find("a.example")]).toEqual([undefined, basic("written")]);
    expect(warnings).toEqual(["running docker-credential-desktop.exe get: there is no such program on the PATH; going on without it"]);
  });

  it.each<[name: string, config: object]>([
    ["its entry says that the store has it", { credsStore: "gone", auths: { "registry.example": {} } }],
    ["it has a helper of its own", { credHelpers: { "registry.example": "gone" } }],
  ])("a helper that is not installed is an error for a registry of which %s", async (_name, config) => {
    writeConfig(config);
    await expect(open().find("registry.example")).rejects.toMatchObject({ code: "CREDENTIAL_HELPER" });
  });

  it("are ended when nobody waits for them any more", async () => {
    installScript(home, "store", "exec sleep 600");
    writeConfig({ credsStore: "store", auths: { "registry.example": {} } });
    const cancel = new AbortController();
    const credentials = open();
    const waits = ["a", "b"].map((repository) => credentials.find("registry.example", repository, { signal: cancel.signal }));
    cancel.abort(new Error("enough"));
    for (const wait of waits) await expect(wait).rejects.toThrow("enough");
  });

  it("attack: a configuration cannot name a program by its path", async () => {
    write("evil", "#!/bin/sh\ntouch ran");
    writeConfig({ credsStore: "../evil", auths: { "registry.example": {} } });
    await expect(open().find("registry.example")).rejects.toThrow('finding a credential helper: "../evil" cannot be the name of one');
  });
});
