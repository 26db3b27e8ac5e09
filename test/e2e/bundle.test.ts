import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { importBusybox } from "../support/bases.ts";
import { mustTsbuild, temporaryStore, tsbuild } from "../support/cli.ts";
import { type CommandResult, command } from "../support/command.ts";
import { contextDirectory } from "../support/context.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { asUser, createUser } from "../support/users.ts";

const store = temporaryStore();

/** A user with groups, files with owners, and a command that tells all about itself. */
const dockerfile = `FROM busybox
RUN echo 'me:x:7:8::/home/me:/bin/sh' >> /etc/passwd && echo 'more:x:9:me' >> /etc/group && echo own > /own && chown 7:8 /own && chmod 600 /own
ENV FROM_IMAGE=yes
WORKDIR /srv/app
USER me
STOPSIGNAL SIGINT
CMD ["sh", "-c", "id; pwd; echo $FROM_IMAGE $GIVEN $HOME; cat /own"]
`;

/** What differs between runs is left out: addresses, ids of processes. */
const look = [
  "id; pwd; hostname; umask; ulimit -n; env | sort; head -1 /etc/hosts; cat /etc/resolv.conf",
  "grep -E '^(Cap|NoNew|Seccomp:)' /proc/self/status",
  "mount | grep -o ' on /[td].* type [a-z0-9]* ([a-z]*' | grep -E '/(data|t) '",
  "cat /data/file /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range; touch /data/x; touch /t/x && ls /t; mkdir /proc/sys/x; cat /proc/keys /proc/timer_list | wc -c; ls /sys/firmware | wc -l",
  "unshare -U true; unshare -m true; mknod /t/disk b 8 0; cat /own; ls -l /own; exit 7",
].join("; ");

beforeAll(async () => {
  await importBusybox({ store });
  await mustTsbuild(["-q", "-t", "app", contextDirectory({ Dockerfile: dockerfile })], { store });
});

/** crun takes no hierarchies of both versions at once; elsewhere there is nothing to take away. */
function runtime(name: "runc" | "crun", directory: string): Promise<CommandResult> {
  const words = [name, "--root", temporaryDirectory("runtime"), "run", "--bundle", directory, `tsbuild-test-${process.pid}-${name}`];
  const script = 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"';
  return command(["unshare", "--mount", "sh", "-c", script, "sh", ...words]);
}

describe.each(["runc", "crun"] as const)("a bundle, run by %s", (name) => {
  describe("as root", needs("root", "privateMounts", "cgroups", name), () => {
    it("does what the image says", async () => {
      const bundle = join(temporaryDirectory("bundle"), "new/one");
      await mustTsbuild(["bundle", "-e", "GIVEN=too", "--dns", "192.0.2.1", "app", bundle], { store });
      expect(readFileSync(join(bundle, "resolv.conf"), "utf8")).toBe("nameserver 192.0.2.1\n");
      expect(readdirSync(bundle).sort()).toEqual(["config.json", "hosts", "resolv.conf", "rootfs"]);
      expect([statSync(bundle).mode & 0o777, statSync(join(bundle, "rootfs")).mode & 0o777]).toEqual([0o700, 0o755]);
      expect(statSync(join(bundle, "rootfs/own"))).toMatchObject({ uid: 7, gid: 8 });
      expect(JSON.parse(readFileSync(join(bundle, "config.json"), "utf8")).annotations["org.opencontainers.image.stopSignal"]).toBe(
        "SIGINT",
      );
      const ran = await runtime(name, bundle);
      expect(ran).toMatchObject({ code: 0, stdout: "uid=7(me) gid=8 groups=9(more)\n/srv/app\nyes too /home/me\nown\n" });
    });

    it.each([
      { who: "the image's user", flags: [] },
      { who: "root", flags: ["-u", "0"] },
      { who: "root without what it may", flags: ["-u", "0", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--read-only"] },
      { who: "root with more", flags: ["-u", "0:5", "--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined"] },
    ])("is the same to its command as tsbuild run: $who", async ({ flags }) => {
      const data = temporaryDirectory("data");
      writeFileSync(join(data, "file"), "data\n");
      const container = [
        ...["-v", `${data}:/data:ro`, "--tmpfs", "/t:size=1m,mode=0777", "--ulimit", "nofile=300:400", "--hostname", "box", "-w", "/tmp"],
        ...["--network", "none", ...flags],
      ];
      const bundle = temporaryDirectory("bundle");
      await mustTsbuild(["bundle", ...container, "app", bundle, "sh", "-c", look], { store });
      const ours = await tsbuild(["run", ...container, "app", "sh", "-c", look], { store });
      const theirs = await runtime(name, bundle);
      expect(ours.stdout).toContain("data\n");
      expect({ ...theirs, stderr: lines(theirs) }).toEqual({ ...ours, stderr: lines(ours) });
      expect(theirs.code).toBe(7);
    });
  });
});

function lines({ stderr }: CommandResult): readonly string[] {
  return stderr.split("\n");
}

describe("a bundle that an ordinary user makes", needs("root", "privateMounts", "userNamespaces", "subIds", "runc"), () => {
  it("is one that they can run, as root of a user namespace", async () => {
    const user = createUser({ uid: 4811, subIds: false });
    await importBusybox({ user });
    const bundle = `${user.home}/bundle`;
    await mustTsbuild(["bundle", "--network", "host", "busybox", bundle, "sh", "-c", "id -u; cat /proc/self/uid_map; touch /made"], {
      user,
    });
    const ran = await asUser(user, ["runc", "--root", `${user.home}/run/runc`, "run", "--bundle", bundle, "tsbuild-test"]);
    expect([ran.code, ran.stdout.replaceAll(/ +/g, " "), ran.stderr]).toEqual([0, "0\n 0 4811 1\n", ""]);
    expect(statSync(`${bundle}/rootfs/made`).uid).toBe(4811);
    const other = await tsbuild(["bundle", "-u", "5", "busybox", `${user.home}/other`], { user });
    expect(other.stderr).toContain(
      "error: making a bundle of busybox: its user is 5:0, and a bundle that is not root's has the ids 0:0 alone [ID_NOT_MAPPED]",
    );
    expect(existsSync(`${user.home}/other`)).toBe(false);
  });
});

describe("tsbuild bundle", () => {
  it("takes no directory that is in use", async () => {
    const bundle = temporaryDirectory("bundle");
    mkdirSync(join(bundle, "x"));
    const refused = await tsbuild(["bundle", "app", bundle], { store });
    expect([refused.code, refused.stderr]).toEqual([
      1,
      `error: making a bundle in ${bundle}: the directory is not empty [DESTINATION_EXISTS]\n`,
    ]);
    expect(readdirSync(bundle)).toEqual(["x"]);
  });

  it("leaves nothing where there is nothing to run", async () => {
    const bundle = join(temporaryDirectory("bundle"), "new");
    const refused = await tsbuild(["bundle", "--entrypoint", "", "app", bundle], { store });
    expect(refused.stderr).toContain("[NO_COMMAND]");
    expect(existsSync(bundle)).toBe(false);
  });
});
