import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { importBusybox } from "../support/bases.ts";
import { mustTsbuild, tsbuild } from "../support/cli.ts";
import { contextDirectory } from "../support/context.ts";
import { readLayoutImage } from "../support/layout.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** Changes of every kind but two of which overlays have a view of their own: of one among hard links, and a directory that is removed and made again. */
const DOCKERFILE = `FROM busybox
RUN mkdir -p /a/b /w/x && echo hi > /a/b/f && ln /a/b/f /a/b/g && ln -s f /a/b/l && chown -h 5:6 /a && rm /etc/shadow && chmod 4755 /bin/busybox && mkfifo /p
WORKDIR /work
RUN rm -rf /a/b && mv /w/x /w/y && touch -d @1000000000 /etc/passwd && echo same > /s && rm /etc/group && ln -s passwd /etc/group
RUN echo same > /s && touch -d @1700000000 /s && rm /p && mkdir /p && rmdir /w/y && touch /w
RUN --mount=target=/context --mount=from=busybox,source=/etc,target=/other,rw cp /context/Dockerfile /copied && echo lost > /other/passwd
`;

const args = ["--progress", "plain", "--source-date-epoch", "1700000000", "-t", "app"];

describe("where something is refused", needs("root", "privateMounts", "userNamespaces"), () => {
  let directory: string;
  let context: string;
  let asUsual: readonly string[];

  /** Runs a script in private namespaces of its own before it becomes the command; $1 is the directory with the store. */
  const after = (script: string): readonly string[] => {
    return ["unshare", "--mount", "--propagation", "private", "sh", "-ec", `directory=$1; shift; ${script}`, "sh", directory];
  };
  const layers = (store: string) => readLayoutImage(store, "app").config.rootfs.diff_ids;
  const onOverlay = 'cd "$directory"; mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay merged;';
  // What the kernel asks of a root that maps itself (user_namespaces(7)).
  const without = "setpriv --bounding-set=-all,+setfcap --inh-caps=-all";

  beforeAll(async () => {
    directory = temporaryDirectory("ladder");
    for (const name of ["lower", "upper", "work", "merged"]) mkdirSync(join(directory, name));
    context = contextDirectory({ Dockerfile: DOCKERFILE });
    const store = join(directory, "store");
    await importBusybox({ store });
    const { code, stderr } = await tsbuild([...args, context], { store });
    expect(code, stderr).toBe(0);
    expect(stderr).not.toContain("note: sandbox");
    asUsual = layers(store);
  });

  it("an overlay in the store's place, steps run on copies, and give the same layers", async () => {
    const store = join(directory, "merged/store");
    const prefix = after(`${onOverlay} exec "$@"`);
    await importBusybox({ store, prefix });
    const { code, stderr } = await tsbuild([...args, context], { store, prefix });
    expect(code, stderr).toBe(0);
    expect(stderr).toContain("note: sandbox: copy of the layers as we are (refused here: overlay: EINVAL)\n");
    expect(await mustTsbuild(["info"], { store, prefix })).toMatch(/^sandbox +yes +copy of the layers as we are$/m);
    expect(layers(join(directory, "upper/store"))).toEqual(asUsual);
    const again = await tsbuild([...args, context], { store, prefix });
    expect(again.stderr).not.toContain("note: sandbox");
    const script = "cat /s; ls /work; test ! -e /other && echo nothing left; touch /new";
    expect(await mustTsbuild(["run", "--rm", "app", "sh", "-c", script], { store, prefix })).toBe("same\nnothing left\n");
  });

  it("mounts as well, a user namespace is made, on copies or on an overlay", async () => {
    const prefix = after(`${onOverlay} exec unshare --user --map-root-user --mount ${without} "$@"`);
    const store = join(directory, "merged/own");
    await importBusybox({ store, prefix });
    const { code, stderr } = await tsbuild([...args, context], { store, prefix });
    expect(code, stderr).toBe(0);
    const single = "in a user namespace, with one id only (this user namespace has one id): every file of a RUN layer belongs to root";
    expect(stderr).toContain(`note: sandbox: copy of the layers ${single} (refused here: overlay: EINVAL)\n`);
    const elsewhere = { store: join(directory, "elsewhere"), prefix: after(`exec unshare --user --map-root-user ${without} "$@"`) };
    await importBusybox(elsewhere);
    const second = await tsbuild([...args, context], elsewhere);
    expect(second.stderr).toContain(`note: sandbox: overlay ${single}\n`);
    expect(layers(join(directory, "upper/own"))).toEqual(layers(elsewhere.store));
  });

  it("a new /proc, the outer one is shown, which the output says", async () => {
    const store = join(directory, "proc");
    await importBusybox({ store });
    const masked = after('mount -t tmpfs tmpfs /proc/fs; exec unshare --user --map-root-user --mount "$@"');
    const { code, stderr } = await tsbuild(
      [
        "--progress",
        "plain",
        "-t",
        "app",
        contextDirectory({
          Dockerfile:
            "FROM busybox\nRUN test -e /proc/self/status && test ! -w /proc/sys/kernel/hostname && sh -c 'kill -9 $$' ; echo went on\n",
        }),
      ],
      { store, prefix: masked },
    );
    expect(code, stderr).toBe(0);
    expect(stderr).toContain(
      "note: sandbox: overlay as we are, with the outer /proc, where processes outside can be seen (refused here: proc: EPERM)\n",
    );
    expect(stderr).toContain("went on\n");
  });

  it("a new /proc, steps see processes outside and of other steps, and cannot look into them", async () => {
    const store = join(directory, "outside");
    await importBusybox({ store });
    const outside = "CANARY=outside setpriv --bounding-set=-all --inh-caps=-all sh -c 'read line; : victim-outside' < \"$1/pipe\" & shift;";
    const masked = after(
      `mkfifo "$directory/pipe"; mount -t tmpfs tmpfs /proc/fs; exec unshare --user --map-root-user --mount sh -c '${outside.replaceAll("'", `'"'"'`)} exec 3> "$0/pipe"; "$@" 3>&-' "$directory" "$directory" "$@"`,
    );
    const look = (victim: string) =>
      `for p in /proc/[0-9]*; do grep -q "victim-${victim}" $p/cmdline 2>/dev/null || continue; echo "saw ${victim}" | tr a-z A-Z; { cat $p/environ; ls $p/root/ $p/cwd/; } 2>/dev/null | grep -q . && echo "read ${victim}" | tr a-z A-Z; done; true`;
    const dockerfile = [
      "FROM busybox AS victim",
      "RUN --mount=type=cache,target=/shared touch /shared/started; until test -e /shared/done; do sleep 0.1; done; : victim-step",
      "FROM busybox AS spy",
      `RUN --mount=type=cache,target=/shared until test -e /shared/started; do sleep 0.1; done; ${look("ste[p]")}; ${look("outsid[e]")}; id -u; chown 5:6 /etc/passwd; touch /shared/done`,
      "FROM busybox",
      "COPY --from=victim /etc/passwd /one",
      "COPY --from=spy /etc/passwd /two",
    ].join("\n");
    const { code, stderr } = await tsbuild(["--progress", "plain", contextDirectory({ Dockerfile: dockerfile })], {
      store,
      prefix: masked,
    });
    expect(code, stderr).toBe(0);
    expect(stderr).toContain("SAW STE[P]\n");
    expect(stderr).toContain("SAW OUTSID[E]\n");
    expect(stderr).not.toContain("READ ");
  });

  it("the own id as well, the error says which right root lacks", async () => {
    const store = join(directory, "store");
    const prefix = after('exec unshare --user --map-root-user setpriv --bounding-set=-all --inh-caps=-all "$@"');
    const { code, stderr } = await tsbuild([...args, "--no-cache", context], { store, prefix });
    expect(code).toBe(3);
    expect(stderr).toMatch(
      /in a user namespace: mapping ids by \/proc\/\d+\/uid_map: EPERM, write \[NO_SANDBOX\]\n[\s\S]* hint: a root that maps itself needs CAP_SETFCAP: add that right, or be another user\n/,
    );
  });

  it("everything, the error has every reason and the remedy, and only what must run fails", async () => {
    const store = join(directory, "off");
    const on = after('exec unshare --user --map-root-user --mount "$@"');
    await importBusybox({ store, prefix: on });
    await mustTsbuild([...args, context], { store, prefix: on });
    // The limit holds for namespaces made below this one.
    const off = after(
      `exec unshare --user --map-root-user sh -c 'echo 0 > /proc/sys/user/max_user_namespaces; exec ${without} "$@"' sh "$@"`,
    );
    expect((await tsbuild([...args, context], { store, prefix: off })).code).toBe(0);
    const { code, stderr } = await tsbuild([...args, "--no-cache", context], { store, prefix: off });
    expect(code).toBe(3);
    expect(stderr).toContain(
      "making a sandbox: as we are: making the sandbox's namespaces: EPERM, unshare; in a user namespace: making a user namespace: ENOSPC, unshare [NO_SANDBOX]\n",
    );
    expect(stderr).toContain("  hint: user namespaces are forbidden here: sysctl -w user.max_user_namespaces=15000\n");
  });
});
