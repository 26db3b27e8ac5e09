import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import type { TsbuildError } from "../../../store/errors.ts";
import { updateConfigFile } from "../../../store/registry/config-update.ts";
import { type DockerConfigOptions, dockerCredentials } from "../../../store/registry/docker-config.ts";
import { eraseCredential, saveCredential } from "../../../store/registry/saved-credential.ts";
import { mustRun } from "../../support/command.ts";
import { needs } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { installHelper } from "./credential-helper-program.ts";
import { failureOf } from "./test-repository.ts";

const user = { kind: "basic", username: "user", password: "s3cret" } as const;
const identity = { kind: "identity", token: "I" } as const;
const userAuth = { auth: Buffer.from("user:s3cret").toString("base64") };

let home: string;
let config: string;
let env: Record<string, string>;
const options = (changes: Partial<DockerConfigOptions> = {}): DockerConfigOptions => ({ env, home, ...changes });

beforeEach(() => {
  home = temporaryDirectory("docker-config-save");
  config = join(home, ".docker/config.json");
  env = { PATH: `${home}:${process.env.PATH}`, XDG_RUNTIME_DIR: join(home, "run") };
});

function write(path: string, content: unknown): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
}
const read = (path = config) => JSON.parse(readFileSync(path, "utf8"));
const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

describe("saving", () => {
  it.each<[registry: string, key: string]>([
    ["docker.io", "https://index.docker.io/v1/"],
    ["localhost:5000", "localhost:5000"],
  ])("%s goes under %s, in a new file of the owner's own", async (registry, key) => {
    expect(await saveCredential(options(), registry, user)).toEqual({ file: config });
    expect(read()).toEqual({ auths: { [key]: userAuth } });
    expect([mode(config), mode(dirname(config))]).toEqual(["600", "700"]);
    expect(readdirSync(dirname(config))).toEqual(["config.json"]);
    expect(await dockerCredentials(options()).find(registry)).toEqual(user);
  });

  it("an identity token is kept as such", async () => {
    await saveCredential(options(), "registry.example", identity);
    expect(read()).toEqual({ auths: { "registry.example": { identitytoken: "I" } } });
    expect(await dockerCredentials(options()).find("registry.example")).toEqual(identity);
  });

  it("takes the place of all that stood for the registry, and leaves everything else as it is", async () => {
    write(config, {
      HttpHeaders: { "X-Meta": ["a"] },
      auths: { "registry.example": userAuth, "docker.io": userAuth, "https://index.docker.io/v1/": {}, "docker.io/team": userAuth },
      psFormat: "table",
    });
    await saveCredential(options(), "docker.io", identity);
    expect(Object.entries(read())).toEqual([
      ["HttpHeaders", { "X-Meta": ["a"] }],
      ["auths", { "registry.example": userAuth, "docker.io/team": userAuth, "https://index.docker.io/v1/": { identitytoken: "I" } }],
      ["psFormat", "table"],
    ]);
  });

  it("makes a file that others could read the owner's alone", async () => {
    write(config, {});
    chmodSync(config, 0o644);
    await saveCredential(options(), "registry.example", user);
    expect(mode(config)).toBe("600");
  });

  it.each<[name: string, exists: boolean]>([
    ["to a file", true],
    ["to nothing yet", false],
  ])("goes through a symlink %s, which stays one", async (_name, exists) => {
    const target = join(home, "dotfiles/docker.json");
    write(target, { psFormat: "table" });
    mkdirSync(dirname(config));
    symlinkSync("../dotfiles/docker.json", config);
    if (!exists) symlinkSync("../dotfiles/other.json", `${config}.dangling`);
    const file = exists ? config : `${config}.dangling`;
    await saveCredential(options({ authFile: file }), "registry.example", user);
    expect(lstatSync(file).isSymbolicLink()).toBe(true);
    expect(read(file)).toEqual({ ...(exists ? { psFormat: "table" } : {}), auths: { "registry.example": userAuth } });
  });

  it.each<[name: string, expected: string, set: () => Partial<DockerConfigOptions>]>([
    ["--authfile", "flag/auth.json", () => ({ authFile: join(home, "flag/auth.json") })],
    [
      "$REGISTRY_AUTH_FILE",
      "registry-auth.json",
      () => ({ env: { ...env, REGISTRY_AUTH_FILE: join(home, "registry-auth.json"), DOCKER_CONFIG: home } }),
    ],
    ["$DOCKER_CONFIG", "docker/config.json", () => ({ env: { ...env, DOCKER_CONFIG: join(home, "docker") } })],
  ])("goes to the file of %s", async (_name, expected, set) => {
    const { file } = await saveCredential(options(set()), "registry.example", user);
    expect([file, read(file)]).toEqual([join(home, expected), { auths: { "registry.example": userAuth } }]);
    expect(existsSync(config)).toBe(false);
  });

  it("at the same time as others loses nothing", async () => {
    const registries = Array.from({ length: 20 }, (_, i) => `registry-${i}.example`);
    await Promise.all(registries.map((registry) => saveCredential(options(), registry, user)));
    expect(Object.keys(read().auths).sort()).toEqual([...registries].sort());
    expect(readdirSync(dirname(config))).toEqual(["config.json"]);
  });

  it("does not touch a file that it cannot read", async () => {
    write(config, '{"auths": s3cret');
    await expect(saveCredential(options(), "registry.example", user)).rejects.toMatchObject({
      code: "CREDENTIALS_UNREADABLE",
      message: `reading the credentials in ${config}: it is no JSON`,
    });
    expect(readFileSync(config, "utf8")).toBe('{"auths": s3cret');
  });

  it("says where it cannot write", async () => {
    write(join(home, ".docker"), "a file");
    await expect(saveCredential(options(), "registry.example", user)).rejects.toMatchObject({
      code: "CREDENTIALS_NOT_WRITTEN",
      message: expect.stringContaining(`writing the credentials in ${config}: ENOTDIR`),
    });
  });
});

describe("attacks: as root, in a directory of another user", needs("root"), () => {
  const uid = 65534;
  let victim: string;
  beforeEach(() => {
    victim = join(temporaryDirectory("victim"), "config.json");
    writeFileSync(victim, JSON.stringify({ auths: { "private.example": userAuth } }), { mode: 0o600 });
    mkdirSync(dirname(config));
    for (const path of [home, dirname(config)]) chownSync(path, uid, uid);
  });
  const own = (path: string) => lchownSync(path, uid, uid);
  const save = () => saveCredential(options(), "registry.example", user);
  const unchanged = () => [statSync(victim).uid, mode(victim), Object.keys(read(victim).auths)];

  it.each<[name: string, prepare: () => unknown, message: string]>([
    ["the file is a symlink", () => symlinkSync(victim, config), "ELOOP: "],
    ["the file is a symlink to nothing yet", () => symlinkSync(join(dirname(victim), "new"), config), "ELOOP: "],
    [
      "the directory is a symlink",
      () => {
        rmdirSync(dirname(config));
        symlinkSync(dirname(victim), dirname(config));
        own(dirname(config));
      },
      "ENOTDIR: ",
    ],
    [
      "the file is a third one's",
      () => {
        write(config, {});
        chownSync(config, 1234, 1234);
      },
      "it belongs to uid 1234, and its directory to uid 65534",
    ],
    ["the file is a FIFO", () => mustRun(["mkfifo", config]), "it is no regular file"],
  ])("nothing is written where %s", async (_, prepare, message) => {
    await prepare();
    if (existsSync(config) && !lstatSync(config).isFile()) own(config);
    await expect(updateConfigFile(config, () => ({ changed: true }))).rejects.toMatchObject({
      code: "CREDENTIALS_NOT_WRITTEN",
      message: expect.stringContaining(`writing the credentials in ${config}: ${message}`),
    });
    expect([unchanged(), readdirSync(dirname(victim))]).toEqual([[0, "600", ["private.example"]], ["config.json"]]);
  });

  it("a file of root's that is linked there stays root's alone", async () => {
    linkSync(victim, config);
    await save();
    expect([statSync(config).uid, mode(config), unchanged()]).toEqual([0, "600", [0, "600", ["private.example"]]]);
  });

  it.each<[name: string, file: () => string, owner: number]>([
    ["the user's file stays his", () => config, uid],
    ["a missing one is root's", () => join(home, "new/deep/config.json"), 0],
  ])("%s", async (_, file, owner) => {
    write(config, { psFormat: "x" });
    own(config);
    await saveCredential(options({ authFile: file() }), "registry.example", user);
    expect([statSync(file()).uid, mode(file()), read(file()).auths]).toEqual([owner, "600", { "registry.example": userAuth }]);
    expect(readdirSync(dirname(file()))).toEqual(["config.json"]);
  });

  it("a file that is swapped for a symlink while it is written gives nothing away", async () => {
    write(config, {});
    own(config);
    // For as long as it is let: whatever appears beside the file becomes a symlink.
    const racer = `
      const { readdirSync, symlinkSync, unlinkSync } = require("node:fs");
      const end = Date.now() + 60_000;
      process.stdin.on("end", () => process.exit()).resume();
      const turn = () => {
        for (let i = 0; i < 200; i++) {
          for (const name of readdirSync(".")) {
            if (name === "config.json") continue;
            try { unlinkSync(name); symlinkSync(process.argv[1], name); } catch {}
          }
        }
        if (Date.now() < end) setImmediate(turn);
      };
      process.stdout.write("ready");
      turn();`;
    const child = spawn(process.execPath, ["-e", racer, victim], {
      cwd: dirname(config),
      uid,
      gid: uid,
      stdio: ["pipe", "pipe", "inherit"],
    });
    try {
      await once(child.stdout, "data");
      for (let i = 0; i < 50; i++) {
        const error = await failureOf(updateConfigFile(config, (fields) => ({ ...fields, [`turn${i}`]: "" })));
        expect(error).toSatisfy((thrown) => thrown === undefined || (thrown as TsbuildError).code === "CREDENTIALS_NOT_WRITTEN");
        if (lstatSync(config).isSymbolicLink()) rmSync(config);
        if (!existsSync(config)) write(config, {});
        own(config);
      }
    } finally {
      child.stdin.end();
      await once(child, "close");
    }
    expect(unchanged()).toEqual([0, "600", ["private.example"]]);
  });
});

it("as root, a file that another user put into a directory for all is not taken for ours: an attack", needs("root"), async () => {
  const file = join(home, "all/auth.json");
  write(file, {});
  chmodSync(dirname(file), 0o1777);
  chownSync(file, 65534, 65534);
  await expect(updateConfigFile(file, () => ({}))).rejects.toMatchObject({
    code: "CREDENTIALS_NOT_WRITTEN",
    message: `writing the credentials in ${file}: it belongs to uid 65534, and its directory to uid 0`,
  });
  expect(read(file)).toEqual({});
});

describe("with a credential helper", () => {
  it.each<[name: string, config: object]>([
    ["for all", { credsStore: "test" }],
    ["of the registry", { credHelpers: { "registry.example": "test" }, credsStore: "other" }],
  ])("%s, the file holds no secret", async (_name, content) => {
    const { log } = installHelper(home, "test");
    write(config, content);
    expect(await saveCredential(options(), "registry.example", user)).toEqual({ file: config, helper: "test" });
    expect(read()).toEqual({ ...content, auths: { "registry.example": {} } });
    expect(await dockerCredentials(options()).find("registry.example")).toEqual(user);
    expect(readFileSync(log, "utf8")).not.toContain("s3cret");
  });

  it("the secret that stood in the file is gone from it", async () => {
    installHelper(home, "test");
    write(config, { credsStore: "test", auths: { "https://registry.example": userAuth } });
    await saveCredential(options(), "registry.example", user);
    expect(read().auths).toEqual({ "registry.example": {} });
  });

  it("that is not installed, nothing is written", async () => {
    write(config, { credsStore: "gone" });
    await expect(saveCredential(options(), "registry.example", user)).rejects.toMatchObject({ code: "CREDENTIAL_HELPER" });
    expect(read()).toEqual({ credsStore: "gone" });
  });
});

describe("erasing", () => {
  it("takes every form of the registry from the file", async () => {
    write(config, {
      auths: { "docker.io": userAuth, "https://index.docker.io/v1/": userAuth, "docker.io/team": userAuth, other: {} },
      psFormat: "x",
    });
    expect(await eraseCredential(options(), "docker.io")).toEqual({ file: config });
    expect(read()).toEqual({ auths: { "docker.io/team": userAuth, other: {} }, psFormat: "x" });
  });

  it("takes it from the helper, under whichever name it was stored", async () => {
    installHelper(home, "test");
    write(config, { credsStore: "test" });
    await saveCredential(options(), "registry.example", user);
    expect(await eraseCredential(options(), "registry.example")).toEqual({ file: config, helper: "test" });
    expect(read()).toEqual({ credsStore: "test", auths: {} });
    expect(await dockerCredentials(options()).find("registry.example")).toBeUndefined();
  });

  it.each<[name: string, content: object | undefined]>([
    ["no file", undefined],
    ["no entry", { auths: { other: {} } }],
    ["nothing in the helper", { credsStore: "test" }],
  ])("says when there was nothing: %s", async (_name, content) => {
    installHelper(home, "test");
    if (content !== undefined) write(config, content);
    expect(await eraseCredential(options(), "registry.example")).toBeUndefined();
    expect(existsSync(config) ? read() : undefined).toEqual(content);
  });
});
