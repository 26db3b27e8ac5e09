import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { importBusybox } from "../support/bases.ts";
import { CLI_PATH, type CliOptions, mustTsbuild, temporaryStore, tsbuild } from "../support/cli.ts";
import { contextDirectory } from "../support/context.ts";
import { needs } from "../support/needs.ts";
import { ranSteps } from "../support/progress.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { createUser } from "../support/users.ts";

const value = "s3cr3t-value-of-the-build";

const ROWS = [
  { name: "root", owner: "1000:2000", make: () => ({ store: temporaryStore() }) },
  { name: "a user with sub-ids", owner: "1000:2000", make: () => ({ user: createUser({ uid: 4921, subIds: true }) }) },
  { name: "a user without sub-ids", owner: "0:0", make: () => ({ user: createUser({ uid: 4922, subIds: false }) }) },
] as const;

async function build(options: CliOptions, dockerfile: string, args: readonly string[] = [], files: Readonly<Record<string, string>> = {}) {
  const context = contextDirectory({ Dockerfile: dockerfile, ...files });
  return tsbuild(["build", "--progress", "plain", "--network", "none", "-t", "app", ...args, context], {
    ...options,
    env: { ...options.env, THE_TOKEN: value },
  });
}

/** Files of the store that hold a text, by its path in the store. */
function holding(directory: string, text: string): readonly string[] {
  try {
    return execFileSync("grep", ["-rlaF", text, directory], { encoding: "utf8" }).trim().split("\n");
  } catch {
    return [];
  }
}

describe.each(ROWS)("RUN --mount=type=secret of $name", needs("root", "privateMounts", "userNamespaces", "subIds"), ({ owner, make }) => {
  let options: CliOptions;
  beforeAll(async () => {
    options = make();
    await importBusybox(options);
  });

  it("is a file in memory and a variable, and nowhere else", async () => {
    const dockerfile = `FROM busybox
RUN --mount=type=secret,id=token --mount=type=secret,id=token,target=/deep/in/file,uid=1000,gid=2000,mode=0440 --mount=type=secret,id=token,env=TOKEN \\
    --mount=type=secret,id=other,target=/other --mount=type=secret,id=other,env=OTHER \\
    stat -c '%u:%g %a %s' /run/secrets/token > /out; stat -c '%u:%g %a' /deep/in/file >> /out; wc -c < /deep/in/file >> /out; \\
    printf %s "$TOKEN" | wc -c >> /out; ls /other 2>> /out; echo "other=$OTHER" >> /out; { echo x > /deep/in/file; } 2>&1 | grep -o 'Read-only file system' >> /out; \\
    grep -o 'tmpfs rw.*' /proc/self/mountinfo | grep -c noexec > /dev/null; cat /run/secrets/token; echo; echo $TOKEN >&2
RUN ls /run /deep >> /out 2>&1 || true
`;
    const { code, stderr } = await build(options, dockerfile, ["--secret", "id=token,env=THE_TOKEN"]);
    expect(code, stderr).toBe(0);
    expect(stderr).not.toContain(value);
    expect(stderr.match(/\*\*\*/g)).toHaveLength(2);
    const out = await mustTsbuild(["run", "--rm", "app", "cat", "/out"], options);
    expect(out.split("\n").slice(0, 7)).toEqual([
      `0:0 400 ${value.length}`,
      `${owner} 440`,
      String(value.length),
      String(value.length),
      "ls: /other: No such file or directory",
      "other=",
      "Read-only file system",
    ]);
    expect(out).not.toContain("secrets\n");
    const store = options.store ?? `${options.user?.home}/.local/share/tsbuild`;
    expect(holding(store, value)).toEqual([]);
    // Neither the value nor whether there is one is part of the key.
    expect(ranSteps((await build(options, dockerfile)).stderr)).toEqual([]);
  });

  it("that gets into the layer fails the build, which names the place and not the secret", async () => {
    const dockerfile = `FROM busybox
RUN --mount=type=secret,id=token mkdir -p /etc/app && base64 /run/secrets/token > /etc/app/conf && touch "/etc/app/$(cat /run/secrets/token)"
`;
    const { code, stderr } = await build(options, dockerfile, ["--secret", "id=token,env=THE_TOKEN"]);
    expect(code).toBe(1);
    expect(stderr).toContain(
      'Dockerfile:2:1: error: looking for secrets in the image: "token": "/etc/app/conf" has it in base64; "token": the name or an attribute of "/etc/app/***" has it as it is [SECRET_IN_IMAGE]',
    );
    expect(stderr).not.toContain(value);
  });

  it("that is copied into a cache mount fails the build, and is not there for the next one", async () => {
    const copying = (also: string) => `FROM busybox
RUN --mount=type=secret,id=token --mount=type=cache,target=/cache,id=leak mkdir -p /cache/d && ${also} echo kept > /cache/d/log && \
    cp /run/secrets/token /cache/d/token && mkdir "/cache/$(cat /run/secrets/token)" && touch "/cache/$(cat /run/secrets/token)/f"
`;
    const { code, stderr } = await build(options, copying(""), ["--secret", "id=token,env=THE_TOKEN"]);
    expect(code, stderr).toBe(1);
    expect(stderr).toContain('error: looking for secrets in cache mounts: "token": "/d/token" of the cache mount "leak" has it as it is;');
    expect(stderr).toContain('"token": the name or an attribute of "/***" of the cache mount "leak" has it as it is;');
    expect(stderr).toContain("removed from there [SECRET_IN_CACHE]");
    expect(stderr).not.toContain(value);
    const looking = "FROM busybox\nRUN --mount=type=cache,target=/cache,id=leak find /cache -type f > /out\n";
    expect((await build(options, looking)).code).toBe(0);
    expect(await mustTsbuild(["run", "--rm", "app", "cat", "/out"], options)).toBe("/cache/d/log\n");
  });
});

describe("secrets of a build", needs("sandbox"), () => {
  let options: CliOptions;
  beforeAll(async () => {
    options = { store: temporaryStore() };
    await importBusybox(options);
  });
  const refused = async (dockerfile: string, args: readonly string[] = ["--secret", "id=token,env=THE_TOKEN"]) => {
    const { code, stderr } = await build(options, dockerfile, args);
    expect(code, stderr).not.toBe(0);
    expect(stderr).not.toContain(value);
    return stderr;
  };

  it.each<[string, string, string]>([
    ["a file's content, far in it", "head -c 3000000 /dev/zero > /big; cat /run/secrets/token >> /big", '"/big" has it as it is'],
    ["a link's target", "ln -s $(cat /run/secrets/token) /link", 'the name or an attribute of "/link" has it as it is'],
    ["hexadecimal", "od -An -v -tx1 /run/secrets/token | tr -d ' ' > /x", '"/x" has it in hexadecimal'],
    ["a copy of the file that is renamed over another", "cp /run/secrets/token /a && mv /a /etc/passwd", '"/etc/passwd" has it as it is'],
  ])("in %s are found", async (_name, script, place) => {
    const stderr = await refused(`FROM busybox\nRUN --mount=type=secret,id=token ${script}\n`);
    expect(stderr).toContain(`"token": ${place} [SECRET_IN_IMAGE]`);
  });

  it("in an argument are found before the step runs, and in the configuration before there is an image", async () => {
    const dockerfile = `FROM busybox\nARG ARGUMENT\nRUN --mount=type=secret,id=token echo the step runs\n`;
    const args = ["--secret", "id=token,env=THE_TOKEN", "--build-arg", `ARGUMENT=${value}`];
    const early = await refused(dockerfile, args);
    expect(early).toContain('"token": the step.variables.ARGUMENT has it as it is [SECRET_IN_IMAGE]');
    const late = await refused(`FROM busybox\nRUN --mount=type=secret,id=token true\nLABEL of=a\n`, [
      ...["--secret", "id=token,env=THE_TOKEN", "--label", `of=${value}`],
    ]);
    expect(late).toContain('"token": the configuration.config.Labels.of has it as it is [SECRET_IN_IMAGE]');
  });

  it.each<[of: string, flags: (to: string) => readonly string[]]>([
    ["the build", () => ["--annotation", `of.x=${value}`]],
    ["an index", () => ["--platform", "linux/amd64,linux/386", "--annotation", `index:of.x=${value}`]],
    ["an archive", (to) => ["-o", `type=oci,dest=${to},annotation.of.x=${value}`]],
    ["what is pushed", () => ["-o", `type=registry,annotation.of.x=${value}`, "-t", "localhost:1/app"]],
  ])("in an annotation of %s are found before anything leaves", async (_of, flags) => {
    const to = join(temporaryDirectory("annotated"), "app.tar");
    const args = ["--secret", "id=token,env=THE_TOKEN", ...flags(to)];
    const stderr = await refused("FROM --platform=$BUILDPLATFORM busybox\nRUN --mount=type=secret,id=token true\n", args);
    expect(stderr).toContain('"token": annotations.of.x has it as it is [SECRET_IN_IMAGE]');
    expect(existsSync(to)).toBe(false);
  });

  it("are let through by their id, and then said", async () => {
    const dockerfile = "FROM busybox\nRUN --mount=type=secret,id=token cp /run/secrets/token /copy\n";
    const { code, stderr } = await build(options, dockerfile, ["--secret", "id=token,env=THE_TOKEN", "--allow-secret-in-image", "token"]);
    expect(code, stderr).toBe(0);
    expect(stderr).toContain('the image holds the secret "token": "/copy" has it as it is');
  });

  const cached = (script: string, also = "") =>
    `FROM busybox\nRUN --mount=type=secret,id=token --mount=type=cache,target=/cache,id=of-secrets${also} ${script}\n`;
  const holdingCaches = () => holding(join(options.store ?? "", "v1/cache-mounts"), value);

  it("are not in the cache mounts of a build that was killed when others take them", async () => {
    const context = contextDirectory({ Dockerfile: cached("cp /run/secrets/token /cache/of-killed; echo WROTE; sleep 600") });
    const args = ["build", "--progress", "plain", "--network", "none", "--secret", "id=token,env=THE_TOKEN", context];
    const child = spawn(process.execPath, [CLI_PATH, ...args], { env: { ...process.env, TSBUILD_ROOT: options.store, THE_TOKEN: value } });
    const closed = once(child, "close");
    let said = "";
    for await (const chunk of child.stderr) {
      said += chunk;
      if (said.includes(" WROTE\n")) child.kill("SIGKILL");
    }
    await closed;
    expect(said).toContain(" WROTE\n");
    const { stderr } = await build(options, "FROM busybox\nRUN --mount=type=cache,target=/cache,id=of-secrets cat /cache/*; true\n");
    expect(stderr).not.toContain(value);
    expect(stderr).toContain('the cache mount "of-secrets" was thrown away: a build that used it with secrets was killed');
    expect(holdingCaches()).toEqual([]);
  });

  it("are removed from the cache mounts of a step that failed, which says so", async () => {
    const stderr = await refused(cached("cp /run/secrets/token /cache/of-failed; exit 3"));
    expect(stderr).toContain("[2/2] RUN");
    expect(stderr).toContain('removed, for the secrets in it: "token": "/of-failed" of the cache mount "of-secrets" has it as it is');
    expect(stderr).toContain("STEP_FAILED");
    expect(holdingCaches()).toEqual([]);
  });

  it("stay in cache mounts by their id, where no later step that leaves them alone is blamed for them", async () => {
    const copying = cached("cp -p /run/secrets/token /cache/allowed && ln /cache/allowed /cache/linked");
    const given = ["--secret", "id=token,env=THE_TOKEN"];
    const { code, stderr } = await build(options, copying, [...given, "--allow-secret-in-image", "token"]);
    expect(code, stderr).toBe(0);
    expect(stderr).toContain('the secret "token": "/allowed" of the cache mount "of-secrets" has it as it is');
    expect((await build(options, cached("echo x > /cache/other"), given)).code).toBe(0);
    expect(holdingCaches()).toHaveLength(2);
    expect((await build(options, cached("test -e /cache/allowed", ",ro"), given)).code).toBe(0);
    const renaming = await refused(cached("mv /cache/allowed /cache/moved; touch -d 1990-01-01 /cache/moved"), given);
    expect(renaming).toContain('"/moved" of the cache mount "of-secrets" has it as it is');
    expect(holdingCaches()).toEqual([]);
  });

  it("are let through for the builds that allow them only: what is cached of one is not for another", async () => {
    const dockerfile = "FROM busybox\nRUN --mount=type=secret,id=token cp /run/secrets/token /cached\n";
    const given = ["--secret", "id=token,env=THE_TOKEN"];
    const allowing = [...given, "--allow-secret-in-image", "token"];
    expect((await build(options, dockerfile, allowing)).code).toBe(0);
    const again = await build(options, dockerfile, allowing);
    expect(ranSteps(again.stderr)).toEqual([]);
    expect(await refused(dockerfile, given)).toContain('"token": "/cached" has it as it is [SECRET_IN_IMAGE]');
  });

  it("are found behind one that is allowed, however often that one comes", async () => {
    const dockerfile =
      "FROM busybox\nRUN --mount=type=secret,id=a --mount=type=secret,id=token for i in $(seq 200); do cat /run/secrets/a; echo; done > /a && cp /run/secrets/token /b\n";
    const file = join(contextDirectory({ a: "another secret of it" }), "a");
    const stderr = await refused(dockerfile, [
      ...["--secret", "id=token,env=THE_TOKEN", "--secret", `id=a,src=${file}`, "--allow-secret-in-image", "a"],
    ]);
    expect(stderr).toContain('"token": "/b" has it as it is [SECRET_IN_IMAGE]');
  });

  it.each<[string, string, string]>([
    ["COPY", "COPY npmrc /npmrc", '"/npmrc" has line 2 of it'],
    ["COPY --link", "COPY --link npmrc /linked", '"/linked" has line 2 of it'],
    ["ADD of a document", `COPY <<EOF /document\n_authToken=${value}\nEOF`, '"/document" has line 2 of it'],
    ["RUN without the secret", `RUN --mount=type=bind,source=npmrc,target=/in cp /in /out`, '"/out" has line 2 of it'],
    ["WORKDIR", `WORKDIR /srv/_authToken=${value}`, 'the name or an attribute of "/srv/***" has line 2 of it'],
  ])("in what %s brings are found", async (_name, instruction, place) => {
    // Not all of it: what a person would copy has another beginning.
    const npmrc = `always-auth=true\n_authToken=${value}\n`;
    const file = join(contextDirectory({ given: npmrc }), "given");
    const { code, stderr } = await build(options, `FROM busybox\n${instruction}\n`, ["--secret", `id=npmrc,src=${file}`], {
      npmrc: `# ours\n_authToken=${value}\n`,
    });
    expect(code, stderr).toBe(1);
    expect(stderr).toContain(`"npmrc": ${place}`);
    expect(stderr).toContain("[SECRET_IN_IMAGE]");
  });

  it("may be in what a step sees and does not keep", async () => {
    const file = join(contextDirectory({ given: value }), "given");
    const { code, stderr } = await build(
      options,
      "FROM busybox\nRUN --mount=type=bind,source=bound,target=/in wc -c /in\n",
      ["--secret", `id=token,src=${file}`],
      { bound: value },
    );
    expect(code, stderr).toBe(0);
  });

  it("that are certificates are said only", async () => {
    const pem = `-----BEGIN CERTIFICATE-----\n${"QUJDREVGR0hJSktMTU5PUA==\n".repeat(3)}-----END CERTIFICATE-----\n`;
    const file = join(contextDirectory({ "ca.pem": pem }), "ca.pem");
    const { code, stderr } = await build(options, "FROM busybox\nRUN --mount=type=secret,id=ca cp /run/secrets/ca /ca.pem\n", [
      "--secret",
      `id=ca,src=${file}`,
    ]);
    expect(code, stderr).toBe(0);
    expect(stderr).toContain('the image holds the secret "ca": "/ca.pem" has it as it is');
  });

  it("that fail a step are not in its error", async () => {
    const stderr = await refused("FROM busybox\nRUN --mount=type=secret,id=token cat /run/secrets/token; echo; false\n");
    expect(stderr).toMatch(/exit code 1[\s\S]*\*\*\*/);
  });

  it.each<[string, string, string[], string]>([
    [
      "is required and was not given",
      "type=secret,id=token,required",
      [],
      'looking for the secret "token": the step requires it, and it was not given [SECRET_MISSING]',
    ],
    [
      "is too large",
      "type=secret,id=large",
      ["--secret", "id=large,src=LARGE"],
      'reading the secret "large": it has more than 512000 bytes [SECRET_INVALID]',
    ],
    [
      "cannot be a variable",
      "type=secret,id=nul,env=X",
      ["--secret", "id=nul,src=NUL"],
      'reading the secret "nul": a variable cannot hold its NUL bytes: mount it as a file (target=) [SECRET_INVALID]',
    ],
    [
      "is no file",
      "type=secret,id=none",
      ["--secret", "id=none,src=/no/such"],
      'the secret "none" is the file "/no/such": there is no such file [INVALID_VALUE]',
    ],
  ])("one that %s", async (_name, mount, args, message) => {
    const directory = contextDirectory({});
    writeFileSync(join(directory, "LARGE"), Buffer.alloc(512_001, "x"));
    writeFileSync(join(directory, "NUL"), "12345678\0");
    const placed = args.map((arg) => arg.replace(/src=([A-Z]+)$/, (_, name) => `src=${join(directory, name)}`));
    expect(await refused(`FROM busybox\nRUN --mount=${mount} echo no secret\n`, placed)).toContain(message);
  });

  it("with NUL bytes are files, byte for byte", async () => {
    const file = join(contextDirectory({}), "bytes");
    writeFileSync(file, Buffer.from([0, 255, 10, 0, 1, 2, 3]));
    const { code, stderr } = await build(options, "FROM busybox\nRUN --mount=type=secret,id=b od -An -tx1 /run/secrets/b > /out\n", [
      "--secret",
      `id=b,src=${file}`,
    ]);
    expect(code, stderr).toBe(0);
    expect(stderr).toContain('the secret "b" has less than 8 bytes: it is not looked for in output and image');
    expect((await mustTsbuild(["run", "--rm", "app", "cat", "/out"], options)).trim()).toBe("00 ff 0a 00 01 02 03");
  });
});
