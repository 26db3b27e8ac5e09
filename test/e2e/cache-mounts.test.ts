import { readdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { importBusybox } from "../support/bases.ts";
import { type CliOptions, mustTsbuild, temporaryStore, tsbuild } from "../support/cli.ts";
import { contextDirectory } from "../support/context.ts";
import { needs } from "../support/needs.ts";
import { createUser } from "../support/users.ts";

/** The ways to make a sandbox; where it has one id only, everything is root's. */
const ROWS = [
  { name: "root", owner: "1000:2000 700", make: () => ({ store: temporaryStore() }) },
  { name: "a user with sub-ids", owner: "1000:2000 700", make: () => ({ user: createUser({ uid: 4911, subIds: true }) }) },
  { name: "a user without sub-ids", owner: "0:0 700", make: () => ({ user: createUser({ uid: 4912, subIds: false }) }) },
] as const;

describe.each(ROWS)("RUN --mount=type=cache of $name", needs("root", "privateMounts", "userNamespaces", "subIds"), ({ owner, make }) => {
  let options: CliOptions;
  beforeAll(async () => {
    options = make();
    await importBusybox(options);
  });
  const build = async (dockerfile: string, args: readonly string[] = [], files: Readonly<Record<string, string>> = {}) => {
    const context = contextDirectory({ Dockerfile: dockerfile, ...files });
    const given = ["build", "--progress", "plain", "--network", "none", "-t", "app", ...args, context];
    const { code, stderr } = await tsbuild(given, options);
    expect(code, stderr).toBe(0);
    return mustTsbuild(["run", "--rm", "app", "cat", "/out"], options);
  };

  it("keeps what is written, out of layer and key, for other builds too", async () => {
    const dockerfile = (n: number) => `FROM busybox
RUN --mount=type=cache,target=/var/cache/x echo ${n} >> /var/cache/x/log && cp /var/cache/x/log /out && mkdir -p /var/cache/x/deep && touch /var/cache/x/deep/f${n}
RUN test ! -e /var/cache/x
`;
    expect(await build(dockerfile(1))).toBe("1\n");
    expect(await build(dockerfile(1))).toBe("1\n");
    expect(await build(dockerfile(2))).toBe("1\n2\n");
    // Steps that shall run again begin with nothing, as in BuildKit.
    expect(await build(dockerfile(3), ["--no-cache"])).toBe("3\n");
    expect(await build(dockerfile(4))).toBe("3\n4\n");
    expect(await build(dockerfile(5), ["--build-arg", "BUILDKIT_CACHE_MOUNT_NS=other"])).toBe("5\n");
  });

  it("has owner and mode, and begins with what from shows", async () => {
    const dockerfile = `FROM busybox AS seed
RUN mkdir -p /seed/d && chmod 711 /seed && echo of the stage > /seed/d/file && ln -s /etc/passwd /seed/link
FROM busybox
RUN --mount=type=cache,target=/own,uid=1000,gid=2000,mode=0700 --mount=type=cache,target=/seeded,from=seed,source=/seed \\
    --mount=type=cache,target=/context,id=context,from=files,source=sub --mount=type=cache,target=/seen,id=/own,uid=1000,gid=2000,mode=0700,ro \\
    stat -c '%u:%g %a' /own > /out; stat -c %a /seeded >> /out; cat /seeded/d/file /context/file >> /out; readlink /seeded/link >> /out; \\
    echo x > /seeded/d/file; touch /own/x; ls /seen >> /out; touch /seen/y 2>> /out || true
RUN --mount=type=cache,target=/seeded,from=seed,source=/seed cat /seeded/d/file >> /out
`;
    const files = contextDirectory({ "sub/file": "of the context\n" });
    const out = await build(dockerfile, ["--build-context", `files=${files}`]);
    expect(out).toBe(`${owner}\n711\nof the stage\nof the context\n/etc/passwd\nx\ntouch: /seen/y: Read-only file system\nx\n`);
  });

  it("is listed, and pruned by its kind, whoever owns its files", async () => {
    await build(`FROM busybox
RUN --mount=type=cache,id=closed,target=/c mkdir -p /c/d && touch /c/d/f && (chown -R 1000:1000 /c/d; chmod 700 /c/d; true); touch /out
`);
    const { kinds } = JSON.parse(await mustTsbuild(["df", "--format", "json"], options));
    expect(kinds.find(({ kind }: { kind: string }) => kind === "cache-mounts").count).toBeGreaterThan(0);
    await mustTsbuild(["prune", "--force", "--filter", "type=exec.cachemount"], options);
    const store = join(options.store ?? `${options.user?.home}/.local/share/tsbuild`, "v1");
    expect(readdirSync(join(store, "cache-mounts"))).toEqual([]);
    expect(readdirSync(join(store, "trash"))).toEqual([]);
  });

  it("whose symlinks were put there by a hostile step gives nothing of the host to a later one", async () => {
    const out = await build(
      `FROM busybox
RUN --mount=type=cache,id=evil,target=/c ln -s ${process.cwd()} /c/host && ln -s ../../../../.. /c/up
RUN --mount=type=cache,id=evil,target=/c --mount=target=/c/host/in --mount=type=tmpfs,target=/c/up/top \\
    cd /c/host/in && ls > /out; ls -d /top >> /out; ls /c/host >> /out
`,
      [],
      { file: "" },
    );
    expect(out).toBe("Dockerfile\nfile\n/top\nin\n");
  });
});
