import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ConfigError, loadSettings, type Settings } from "../../builder/config.ts";
import { type Key, settingKeys } from "../../builder/settings.ts";
import { defaultRegistrySettings } from "../../store/registry/settings.ts";
import { defaultUnpackLimits } from "../../store/unpack-limits.ts";
import { sectionOf } from "../support/pages.ts";

let root: string;
let context: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tsbuild-config-"));
  context = join(root, "context");
  for (const folder of ["system", "xdg/tsbuild", "context"]) mkdirSync(join(root, folder), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const files = { system: "system/tsbuild.toml", user: "xdg/tsbuild/tsbuild.toml", project: "context/tsbuild.toml" } as const;

function write(origin: keyof typeof files, text: string): string {
  const file = join(root, files[origin]);
  writeFileSync(file, text);
  return file;
}

function load(): Promise<Settings> {
  return loadSettings({ env: { XDG_CONFIG_HOME: join(root, "xdg") }, context, systemDirectory: join(root, "system") });
}

async function failure(): Promise<{ code: string; message: string; hint: string | undefined; line: number | undefined }> {
  const error = await load().catch((caught: unknown) => caught);
  if (!(error instanceof ConfigError)) throw new Error(`not a ConfigError: ${String(error)}`);
  return { code: error.code, message: error.message.replaceAll(root, "ROOT"), hint: error.hint, line: error.line };
}

describe("settings", () => {
  it("are empty and frozen without files", async () => {
    const settings = await load();
    expect(settings).toEqual({});
    expect(Object.isFrozen(settings)).toBe(true);
  });

  it("hold every key", async () => {
    write("user", '[sandbox]\nhost_ca = true\nnetwork = "host"\n[build]\njobs = 3\nprogress = "plain"\n[store]\nroot = "/srv/store"\n');
    expect(await load()).toEqual({ hostCa: true, network: "host", jobs: 3, progress: "plain", storeRoot: "/srv/store" });
  });

  it("of registries are merged host by host, key by key", async () => {
    write("system", '[registry]\nparallel = 2\n[registry.host."docker.io"]\nmirrors = ["a:5000", "b"]\ninsecure = true\n');
    write(
      "user",
      `[registry]
attempts = 3
deadline_seconds = 60
connect_timeout_seconds = 5
stall_timeout_seconds = 7
max_layer_mib = 10
max_download_mib = 11
[registry.rewrite]
"quay.io/team" = "mirror.example/quay/team"
[registry.host."index.docker.io"]
mirrors = ["c"]
[registry.host."host:5000"]
ca = "/etc/ca.pem"
client_certificate = "/etc/client.pem"
client_key = "/etc/client.key"
`,
    );
    expect(await load()).toEqual({
      registry: {
        parallel: 2,
        attempts: 3,
        deadlineMs: 60_000,
        connectTimeoutMs: 5_000,
        stallTimeoutMs: 7_000,
        maxLayerBytes: 10 * 2 ** 20,
        maxDownloadBytes: 11 * 2 ** 20,
        rewrites: [{ from: "quay.io/team", to: "mirror.example/quay/team" }],
        hosts: {
          "docker.io": { mirrors: ["c"], insecure: true },
          "host:5000": { ca: "/etc/ca.pem", clientCertificate: "/etc/client.pem", clientKey: "/etc/client.key" },
        },
      },
    });
  });

  it("of hosts may have a scheme in mirrors, and a slash at their ends", async () => {
    write(
      "user",
      '[registry.host."localhost"]\nmirrors = ["http://a:5000/", "HTTPS://b/x/y", "127.0.0.1:80"]\n[registry.rewrite]\n"a.io/" = "[::1]:5000/x/"\n',
    );
    expect((await load()).registry).toEqual({
      hosts: { localhost: { mirrors: ["http://a:5000/", "HTTPS://b/x/y", "127.0.0.1:80"] } },
      rewrites: [{ from: "a.io/", to: "[::1]:5000/x/" }],
    });
  });

  it("of a rewriting rule are replaced by later files", async () => {
    write("system", '[registry.rewrite]\n"a.io" = "b"\n"c.io" = "d"\n');
    write("user", '[registry.rewrite]\n"a.io" = "e"\n');
    expect((await load()).registry?.rewrites).toEqual([
      { from: "c.io", to: "d" },
      { from: "a.io", to: "e" },
    ]);
  });

  it("of the project win over the user's, and those over the system's, key by key", async () => {
    write("system", '[build]\njobs = 1\nprogress = "plain"\n[store]\nroot = "/system"\n');
    write("user", '[build]\njobs = 2\n[sandbox]\nnetwork = "host"\n');
    write("project", 'sandbox.network = "none"\n');
    expect(await load()).toEqual({ jobs: 2, progress: "plain", storeRoot: "/system", network: "none" });
  });

  it("are looked for in ~/.config without XDG_CONFIG_HOME", async () => {
    mkdirSync(join(root, ".config/tsbuild"), { recursive: true });
    writeFileSync(join(root, ".config/tsbuild/tsbuild.toml"), "build.jobs = 5");
    expect(await loadSettings({ env: { HOME: root, XDG_CONFIG_HOME: "" }, systemDirectory: root })).toEqual({ jobs: 5 });
  });

  it.each<[name: string, text: string, code: string, message: string, hint: string | undefined]>([
    [
      "a misspelt key",
      "[build]\n# comment\nprogres = 1\n",
      "CONFIG_UNKNOWN_KEY",
      ':3: there is no setting "build.progres"',
      "did you mean build.progress?",
    ],
    [
      "a key in no table",
      "jobs = 1\n",
      "CONFIG_UNKNOWN_KEY",
      ':1: there is no setting "jobs"',
      `settings: ${settingKeys.map(({ name }) => name).join(", ")}`,
    ],
    ["an unknown table", "[build]\njobs = 1\n\n[cache]\nsize = 1\n", "CONFIG_UNKNOWN_KEY", ':4: there is no setting "cache"', undefined],
    ["an unknown empty table", "[caches]\n", "CONFIG_UNKNOWN_KEY", ':1: there is no setting "caches"', undefined],
    ["a name of Object.prototype", "[__proto__]\njobs = 1\n", "CONFIG_UNKNOWN_KEY", ':1: there is no setting "__proto__"', undefined],
    [
      "a table for a number",
      "[build.jobs]\nmax = 1\n",
      "CONFIG_INVALID_VALUE",
      ":1: build.jobs must be a whole number from 1 to 1024",
      undefined,
    ],
    ["a number for a table", "x = 1\nbuild = 1\n", "CONFIG_UNKNOWN_KEY", ':1: there is no setting "x"', undefined],
    ["a text for a table", 'build = "abc"\n', "CONFIG_UNKNOWN_KEY", ':1: there is no setting "build"', undefined],
    ["a name without end", `${"a.".repeat(20_000)}a = 1\n`, "CONFIG_UNKNOWN_KEY", ':1: there is no setting "a"', undefined],
    ["a name in quotes", '"build"."jobs" = 0\n', "CONFIG_INVALID_VALUE", ":1: build.jobs must be a whole number from 1 to 1024", undefined],
    ["a text for a truth", '[sandbox]\nhost_ca = "yes"\n', "CONFIG_INVALID_VALUE", ":2: sandbox.host_ca must be true or false", undefined],
    [
      "an unknown network",
      '[sandbox]\nnetwork = "bridge"\n',
      "CONFIG_INVALID_VALUE",
      ':2: sandbox.network must be "default", "isolated", "none" or "host"',
      undefined,
    ],
    ["no jobs", "[build]\njobs = 0\n", "CONFIG_INVALID_VALUE", ":2: build.jobs must be a whole number from 1 to 1024", undefined],
    ["half a job", "[build]\njobs = 1.5\n", "CONFIG_INVALID_VALUE", ":2: build.jobs must be a whole number from 1 to 1024", undefined],
    [
      "a layer of no bytes",
      '[store]\nmax_layer_size = "0"\n',
      "CONFIG_INVALID_VALUE",
      ':2: store.max_layer_size must be a size, as "256g"',
      undefined,
    ],
    [
      "a number of entries as text",
      '[store]\nmax_layer_entries = "many"\n',
      "CONFIG_INVALID_VALUE",
      ":2: store.max_layer_entries must be a whole number from 1 to 2147483648",
      undefined,
    ],
    ["a relative store", '[store]\nroot = "store"\n', "CONFIG_INVALID_VALUE", ":2: store.root must be an absolute path", undefined],
    ["a list", "[build]\njobs = [1]\n", "CONFIG_INVALID_VALUE", ":2: build.jobs must be a whole number from 1 to 1024", undefined],
    [
      "a line that is no TOML",
      "[build]\njobs = \n",
      "CONFIG_SYNTAX",
      ":2: not valid TOML: Unexpected character, expecting string, number, datetime, boolean, inline array or inline table",
      undefined,
    ],
    [
      "a misspelt key of a host",
      '[registry.host."host:5000"]\n# comment\nmirrrors = ["a"]\n',
      "CONFIG_UNKNOWN_KEY",
      ':3: there is no setting "registry.host.host:5000.mirrrors"',
      "did you mean registry.host.host:5000.mirrors?",
    ],
    [
      "a mirror that is no list",
      '[registry]\nparallel = 2\n[registry.host."docker.io"]\nmirrors = "a"\n',
      "CONFIG_INVALID_VALUE",
      ':4: registry.host.docker.io.mirrors must be a list of hosts, as ["mirror.example:5000/prefix"]',
      undefined,
    ],
    [
      "a relative CA",
      'registry.host."h".ca = "ca.pem"\n',
      "CONFIG_INVALID_VALUE",
      ":1: registry.host.h.ca must be the absolute path of a PEM file",
      undefined,
    ],
    ["a key given twice", "[build]\njobs = 1\njobs = 2\n", "CONFIG_SYNTAX", ":3: not valid TOML: Can't redefine existing key", undefined],
  ])("refuse %s", async (_name, text, code, message, hint) => {
    write("user", text);
    const error = await failure();
    expect({ code: error.code, message: error.message }).toEqual({ code, message: `ROOT/xdg/tsbuild/tsbuild.toml${message}` });
    if (hint !== undefined) expect(error.hint).toBe(hint);
  });
});

describe("settings of registries that can mean nothing", () => {
  const noHost = (host: string) => `registry.host.${host}.insecure: "${host}" is no host, as registry.example:5000`;
  const noMirrors = 'registry.host.docker.io.mirrors must be a list of hosts, as ["mirror.example:5000/prefix"]';
  const noTarget = 'registry.rewrite.quay.io must be the beginning of image names that is read instead: "host/path"';
  const host = (text: string) => `[registry.host."${text}"]\n# comment\ninsecure = true\n`;
  const mirror = (text: string) => `[registry.host."docker.io"]\n\nmirrors = ["mirror.example", "${text}"]\n`;
  const rewriting = (to: string) => `[registry.rewrite]\n\n"quay.io" = "${to}"\n`;

  it.each<[name: string, text: string, message: string]>([
    ["a host with a scheme", host("https://host"), noHost("https://host")],
    ["a host with a path", host("host/app"), noHost("host/app")],
    ["a host with a port out of range", host("host:65536"), noHost("host:65536")],
    ["a mirror that is empty", mirror(""), noMirrors],
    ["a mirror without a host", mirror("http://"), noMirrors],
    ["a mirror with another scheme", mirror("ftp://mirror.example"), noMirrors],
    ["a mirror with a port out of range", mirror("mirror.example:99999"), noMirrors],
    ["a mirror with a prefix that is no repository", mirror("mirror.example/UPPER"), noMirrors],
    ["a mirror with a password", mirror("user:pw@mirror.example"), noMirrors],
    ["a rewriting to nothing", rewriting(""), noTarget],
    ["a rewriting to a URL", rewriting("https://registry.example"), noTarget],
    ["a rewriting to a port out of range", rewriting("registry.example:0/x"), noTarget],
    ["a rewriting to an empty component", rewriting("registry.example//x"), noTarget],
    ["a rewriting to a tag", rewriting("registry.example/x:v1"), noTarget],
    [
      "a rewriting of a name without a host",
      '[registry]\n[registry.rewrite]\n"debian" = "registry.example/debian"\n',
      'registry.rewrite.debian: "debian" does not begin with a host: docker.io/library/NAME is what NAME means',
    ],
  ])("%s is refused", async (_name, text, message) => {
    const file = write("user", text).replace(root, "ROOT");
    expect(await failure()).toEqual({ code: "CONFIG_INVALID_VALUE", message: `${file}:3: ${message}`, hint: undefined, line: 3 });
  });
});

describe("a hostile context", () => {
  it.each<[attack: string, text: string, message: string]>([
    ["opens the host's certificates", "[sandbox]\nhost_ca = true\n", ":2: a context's own file may not set sandbox.host_ca to true"],
    ["opens the host's network", '[sandbox]\nnetwork = "host"\n', ':2: a context\'s own file may not set sandbox.network to "host"'],
    [
      "opens the default network again",
      '[sandbox]\nnetwork = "default"\n',
      ':2: a context\'s own file may not set sandbox.network to "default"',
    ],
    [
      "names a registry to pull from instead",
      '[registry.rewrite]\n"docker.io" = "evil.example"\n',
      ':2: a context\'s own file may not set registry.rewrite.docker.io to "evil.example"',
    ],
    [
      "adds a mirror",
      '\nregistry.host."docker.io".mirrors = ["evil.example"]\n',
      ':2: a context\'s own file may not set registry.host.docker.io.mirrors to ["evil.example"]',
    ],
    [
      "has certificates not checked",
      "\nregistry.host.h.insecure = true\n",
      ":2: a context's own file may not set registry.host.h.insecure to true",
    ],
    ["has failed steps kept", "[build]\nkeep_failed = true\n", ":2: a context's own file may not set build.keep_failed to true"],
    ["lets itself be larger", '[store]\nmax_layer_size = "900g"\n', ':2: a context\'s own file may not set store.max_layer_size to "900g"'],
    ["moves the store", '[store]\nroot = "/etc"\n', ':2: a context\'s own file may not set store.root to "/etc"'],
  ])("cannot do harm when it %s", async (_attack, text, message) => {
    write("user", '[sandbox]\nnetwork = "none"\n');
    write("project", text);
    expect(await failure()).toMatchObject({ code: "CONFIG_NOT_ALLOWED", message: `ROOT/context/tsbuild.toml${message}`, line: 2 });
  });

  it("can only tighten", async () => {
    write("project", '[sandbox]\nhost_ca = false\nnetwork = "none"\n[build]\njobs = 2\nkeep_failed = false\nprogress = "plain"\n');
    expect(await load()).toEqual({ hostCa: false, network: "none", jobs: 2, keepFailed: false, progress: "plain" });
  });

  it("cannot have another file of the host quoted through a link", async () => {
    writeFileSync(join(root, "secret"), "password = hunter2");
    symlinkSync(join(root, "secret"), join(context, "tsbuild.toml"));
    expect(await failure()).toMatchObject({ code: "CONFIG_UNREADABLE", message: "ROOT/context/tsbuild.toml: is a symbolic link" });
  });

  it("cannot have its own lines printed by a syntax error", async () => {
    write("project", "x = \x1b[2Jsecret\n");
    const { code, message } = await failure();
    expect(code).toBe("CONFIG_SYNTAX");
    expect(message).not.toContain("secret");
    expect(message).not.toContain("\x1b");
  });

  it("cannot make the build wait for a FIFO", async () => {
    execFileSync("mkfifo", [join(context, "tsbuild.toml")]);
    expect(await failure()).toMatchObject({ code: "CONFIG_UNREADABLE", message: "ROOT/context/tsbuild.toml: is not a regular file" });
  });

  it("cannot make the build read a huge file", async () => {
    write("project", "#".repeat(70_000));
    expect(await failure()).toMatchObject({ code: "CONFIG_UNREADABLE", message: "ROOT/context/tsbuild.toml: is larger than 65536 bytes" });
  });

  it("cannot hide a directory in the file's place", async () => {
    mkdirSync(join(context, "tsbuild.toml"));
    expect((await failure()).code).toBe("CONFIG_UNREADABLE");
  });
});

describe("the page about settings", () => {
  const [, example = ""] = /```toml\n([\s\S]*?)```/.exec(sectionOf("docs/settings.md", "All settings")) ?? [];

  it("has an example that is read, with the defaults that it speaks of", async () => {
    write("system", example);
    const { registry, unpackLimits } = await load();
    expect(unpackLimits).toEqual(defaultUnpackLimits);
    const { hosts: _hosts, rewrites: _rewrites, ...numbers } = registry ?? {};
    expect(Object.keys(numbers)).toHaveLength(7);
    expect(defaultRegistrySettings).toMatchObject(numbers);
  });

  it("has every setting in it", () => {
    const written = (name: string): boolean => {
      const [last = "", ...above] = name.split(".").reverse();
      return last === "*" ? example.includes(`[${above.reverse().join(".")}]`) : new RegExp(`^${last} = `, "m").test(example);
    };
    expect(settingKeys.map(({ name }) => name).filter((name) => !written(name))).toEqual([]);
  });

  it("says what a context's own file may set", () => {
    const candidates = [true, false, "default", "isolated", "none", "host", "auto", "unconfined", "/x", "1g", "24h", 4, "plain", ["h:1"]];
    const allowed = ({ accepts, inProject }: Key): string | undefined => {
      const accepted = candidates.filter(accepts);
      const granted = accepted.filter(inProject);
      if (granted.length === 0) return undefined;
      return granted.length === accepted.length ? "any" : granted.map((value) => `\`${JSON.stringify(value)}\``).join(", ");
    };
    const rules = settingKeys
      .map((key) => [key.name.split(".").at(-1), allowed(key)] as const)
      .filter(([, values]) => values !== undefined);
    const rows = [...sectionOf("docs/settings.md", "A context's own file").matchAll(/^\| (`.+?`) \| (.+?) \|$/gm)].flatMap(
      ([, names = "", values]) => [...names.matchAll(/`(\w+)`/g)].map(([, name]) => [name, values] as const),
    );
    expect(new Map(rows)).toEqual(new Map(rules));
  });
});
