import { describe, expect, it } from "vitest";
import { gitEnvironment } from "../../../builder/fetch/git-environment.ts";
import { gitFailure } from "../../../builder/fetch/git-failure.ts";
import { parseSubmodules, submoduleUrl } from "../../../builder/fetch/git-modules.ts";
import { chooseRef } from "../../../builder/fetch/git-refs.ts";
import { defaultRegistrySettings } from "../../../store/registry/settings.ts";

const [a, b, c] = ["a", "b", "c"].map((digit) => digit.repeat(40)) as [string, string, string];

describe("what a ref means", () => {
  it.each<[name: string, ref: string | undefined, lines: readonly string[], expected: ReturnType<typeof chooseRef>]>([
    ["HEAD, with the branch that it is", undefined, ["ref: refs/heads/x\tHEAD", `${a}\tHEAD`], { commit: a, name: "refs/heads/x" }],
    ["HEAD, where nobody says what it is", undefined, [`${a}\tHEAD`], { commit: a }],
    ["HEAD, and not another's", undefined, [`${b}\trefs/remotes/origin/HEAD`], undefined],
    ["a branch", "x", [`${a}\trefs/heads/x`], { commit: a, name: "refs/heads/x" }],
    ["a branch before a tag", "x", [`${b}\trefs/tags/x`, `${a}\trefs/heads/x`], { commit: a, name: "refs/heads/x" }],
    ["the very ref before a branch", "heads/x", [`${b}\trefs/heads/heads/x`, `${a}\trefs/heads/x`], { commit: a, name: "refs/heads/x" }],
    ["no branch that only ends so", "x", [`${a}\trefs/heads/y/x`], undefined],
    ["a pull request", "pull/1/head", [`${a}\trefs/pull/1/head`], { commit: a, name: "refs/pull/1/head" }],
    ["a light tag", "v", [`${a}\trefs/tags/v`], { commit: a, name: "refs/tags/v" }],
    ["an annotated tag", "v", [`${b}\trefs/tags/v`, `${c}\trefs/tags/v^{}`], { commit: c, tag: b, name: "refs/tags/v" }],
    ["nothing", "v", ["warning: nonsense", ""], undefined],
  ])("is %s", (_name, ref, lines, expected) => {
    expect(chooseRef(lines.join("\n"), ref)).toEqual(expected);
  });
});

describe("the URL of a submodule", () => {
  it.each<[parent: string, url: string, expected: string | undefined]>([
    ["https://h/a/b.git", "https://g/c.git", "https://g/c.git"],
    ["https://h/a/b.git", "../c.git", "https://h/a/c.git"],
    ["https://h/a/b.git", "../../c.git", "https://h/c.git"],
    ["https://h/a/b.git", "../../../c.git", undefined],
    ["https://h/a/b.git", "./c.git", "https://h/a/b.git/c.git"],
    ["https://h/a/b/", ".././c", "https://h/a/c"],
    ["ssh://u@h:22/a/b", "../c", "ssh://u@h:22/a/c"],
    ["u@h:a/b", "../c", "u@h:a/c"],
    ["u@h:b", "../c", "u@h:c"],
    ["u@h:b", "../../c", undefined],
    ["u@h:/a/b", "../c", "u@h:/a/c"],
    ["u@h:/b", "../c", "u@h:/c"],
  ])("of %s at %s is %s", (parent, url, expected) => {
    expect(submoduleUrl(parent, url)).toBe(expected);
  });
});

describe("the submodules of a listing", () => {
  it.each<[name: string, listing: string, expected: readonly string[]]>([
    ["of none", "", []],
    ["with names of any form", "submodule.a b.c.path\nx\0submodule.a b.c.url\nu.path\nv\0", ["a b.c x u.path\nv"]],
    ["with a value twice", "submodule.a.path\nx\0submodule.a.path\ny/\0submodule.a.url\nu\0", ["a y u"]],
    ["without a URL", "submodule.a.path\nx\0", []],
    ["that are not to be updated", "submodule.a.path\nx\0submodule.a.url\nu\0submodule.a.update\nnone\0", []],
    ["with a path that leads out", "submodule.a.path\nx/../..\0submodule.a.url\nu\0", []],
    ["with an absolute path", "submodule.a.path\n/x\0submodule.a.url\nu\0", []],
    ["with a value without an equals sign", "submodule.a.path\0submodule.a.url\nu\0", []],
  ])("%s", (_name, listing, expected) => {
    expect(parseSubmodules(listing).map(({ name, path, url }) => `${name} ${path} ${url}`)).toEqual(expected);
  });
});

describe("git's environment", () => {
  const options = { environment: {}, proxy: {}, settings: defaultRegistrySettings, folder: "/store/v1/git" };
  const configured = (env: Readonly<Record<string, string>>, key: string) => {
    const index = Object.entries(env)
      .find(([name, value]) => name.startsWith("GIT_CONFIG_KEY_") && value === key)?.[0]
      .slice(15);
    return index === undefined ? undefined : env[`GIT_CONFIG_VALUE_${index}`];
  };

  it.each<[name: string, remote: string, protocol: "http" | "https" | "ssh" | "git", allowed: string]>([
    ["https leads to https alone", "https://h/x.git", "https", "https"],
    ["http may lead to https", "http://h/x.git", "http", "http:https"],
    ["ssh leads nowhere else", "u@h:x", "ssh", "ssh"],
  ])("allows protocols: %s", (_name, remote, protocol, allowed) => {
    expect(gitEnvironment(options, { remote: { remote, protocol } }).GIT_ALLOW_PROTOCOL).toBe(allowed);
  });

  it("keeps local work off the network", () => {
    const env = gitEnvironment({ ...options, proxy: { http_proxy: "http://p" } }, { gitDir: "/d" });
    expect([env.GIT_ALLOW_PROTOCOL, env.http_proxy, env.GIT_DIR]).toEqual(["none", undefined, "/d"]);
  });

  it("takes PATH and the agent, and nothing else", () => {
    const env = gitEnvironment(
      { ...options, environment: { PATH: "/p", SSH_AUTH_SOCK: "/s", HOME: "/h", GIT_SSH: "x", LD_PRELOAD: "x" } },
      {},
    );
    expect([env.PATH, env.SSH_AUTH_SOCK, env.HOME, env.GIT_SSH, env.LD_PRELOAD]).toEqual(["/p", "/s", "/dev/null", undefined, undefined]);
  });

  it("reads proxies as registries do, and never for this machine", () => {
    const proxy = { HTTPS_PROXY: "http://p:1", http_proxy: " ", NO_PROXY: "e.com" };
    const env = gitEnvironment({ ...options, proxy }, { remote: { remote: "https://h/x.git", protocol: "https" } });
    expect([env.https_proxy, env.http_proxy, env.no_proxy]).toEqual(["http://p:1", undefined, "e.com,localhost,127.0.0.1,::1"]);
  });

  it("trusts whom the settings of the host name", () => {
    const settings = {
      ...defaultRegistrySettings,
      hosts: { "h:444": { ca: "/ca", clientCertificate: "/c", clientKey: "/k" }, i: { insecure: true } },
    };
    const of = (remote: string) => gitEnvironment({ ...options, settings }, { remote: { remote, protocol: "https" } });
    const own = of("https://h:444/x.git");
    expect([configured(own, "http.https://h:444/.sslCAInfo"), configured(own, "http.https://h:444/.sslCert")]).toEqual(["/ca", "/c"]);
    expect(configured(own, "http.https://h:444/.sslVerify")).toBeUndefined();
    expect(configured(of("https://i/x.git"), "http.https://i/.sslVerify")).toBe("false");
  });
});

describe("git's words", () => {
  it.each<[name: string, said: string, expected: string, hint: RegExp | undefined]>([
    ["its complaint alone", "Cloning…\rCounting 1%\rfatal: no\n", "doing: no", undefined],
    ["several complaints", "error: a\nremote: b\nfatal: c\n", "doing: error: a; remote: b; c", undefined],
    ["its last words where it does not complain", "one\ntwo\n\n", "doing: two", undefined],
    ["its exit code where it says nothing", "", "doing: git ends with exit code 128", undefined],
    ["an unknown host of ssh", "Host key verification failed.\r\nfatal: x\n", "doing: Host key verification failed.; x", /known_hosts/],
    ["a key that does not fit", "git@h: Permission denied (publickey).\n", "doing: git@h: Permission denied (publickey).", /ssh-add -l/],
    [
      "a file's name taken for a host",
      "ssh: Could not resolve hostname a: x\n",
      "doing: ssh: Could not resolve hostname a: x",
      /"\.\/HOST:PATH"/,
    ],
    ["no more than a part", `fatal: ${"x".repeat(1000)}\n`, `doing: ${"x".repeat(400)}…`, undefined],
  ])("are %s", (_name, said, message, hint) => {
    const error = gitFailure("doing", { code: 128, said, silent: false });
    expect(error.message).toBe(message);
    if (hint === undefined) expect(error.hint).toBeUndefined();
    else expect(error.hint).toMatch(hint);
  });
});
