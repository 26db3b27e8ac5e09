import { chmodSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { readLayer } from "../../store/layer/tar-read.ts";
import { writeLayer } from "../../store/layer/tar-write.ts";
import { aclOf, chunked, fileEntry } from "../store/layer/samples.ts";
import { importBusybox } from "../support/bases.ts";
import { mustTsbuild, tsbuild } from "../support/cli.ts";
import { contextDirectory } from "../support/context.ts";
import { blobPath, readLayoutImage } from "../support/layout.ts";
import { needs } from "../support/needs.ts";
import { sectionOf } from "../support/pages.ts";
import { ranSteps } from "../support/progress.ts";
import { asUser, createUser } from "../support/users.ts";

const ROWS = [
  { name: "with a range of sub-ids", uid: 4801, subIds: true },
  { name: "without a range of sub-ids", uid: 4802, subIds: false },
] as const;

describe.each(ROWS)("an ordinary user $name", needs("root", "privateMounts", "userNamespaces", "subIds"), ({ uid, subIds }) => {
  let user: ReturnType<typeof createUser>;
  let store: string;

  beforeAll(async () => {
    user = createUser({ uid, subIds });
    store = `${user.home}/.local/share/tsbuild`;
    await importBusybox({ user });
  });

  it("builds and runs the busybox sample", async () => {
    const context = `${user.checkout}/fixtures/busybox-app`;
    const built = await tsbuild(["--progress", "plain", "-t", "app", context], { user });
    expect(built.code, built.stderr).toBe(0);
    const ran = await tsbuild(["run", "--rm", "--network", "none", "app", "start", "hello"], { user });
    if (subIds) expect(ran).toEqual({ code: 0, stdout: "Hello from busybox (1000:1000): hello\n", stderr: "" });
    // One id is all there is: the container cannot become 1000, and says what would let it.
    else expect([ran.code, ran.stderr]).toEqual([125, expect.stringContaining("[ID_NOT_MAPPED]\n  hint: ")]);
    const asRoot = await tsbuild(["run", "--rm", "--network", "none", "-u", "0", "app", "start", "hello"], { user });
    expect(asRoot).toEqual({ code: 0, stdout: "Hello from busybox (0:0): hello\n", stderr: "" });
    const again = await tsbuild(["--progress", "plain", "-t", "app", context], { user });
    expect(ranSteps(again.stderr).filter((title) => !title.startsWith("FROM"))).toEqual([]);
  });

  it("keeps the store in the home directory, closed to others and all its own", async () => {
    expect(readLayoutImage(store, "busybox").manifest.layers).toHaveLength(1);
  });

  it("builds what needs no other ids, and is root inside", async () => {
    const context = contextDirectory({ Dockerfile: "FROM busybox\nRUN id -u > /who && rm /etc/shadow && mkdir -p /a/b\n" });
    const built = await tsbuild(["--progress", "plain", "-t", "own", context], { user });
    expect(built.code, built.stderr).toBe(0);
    expect(await mustTsbuild(["run", "--rm", "own", "sh", "-c", "cat /who; ls -d /a/b; test -e /etc/shadow || echo gone"], { user })).toBe(
      "0\n/a/b\ngone\n",
    );
  });

  it("builds on a layer whose ACLs name other users, and leaves them in it", async () => {
    const tar = join(user.home, "acl.tar");
    const xattrs = { "system.posix_acl_access": aclOf([1, 6], [2, 7, 1000], [4, 4], [0x10, 7], [0x20, 4]) };
    await writeLayer([fileEntry("shared", "text", { mode: 0o674, xattrs })], tar, { sync: false, ignoreMtime: () => false });
    chmodSync(tar, 0o644);
    await mustTsbuild(["import", tar, "with-acl"], { user });
    const script = "stat -c '%a' /shared && echo more >> /shared";
    const context = contextDirectory({ Dockerfile: `FROM with-acl\nCOPY --from=busybox / /\nRUN ${script}\n` });
    const built = await tsbuild(["--progress", "plain", "-t", "on-acl", context], { user });
    expect(built.code, built.stderr).toBe(0);
    expect(built.stderr).toMatch(/ 674$/m);
    const top = readLayoutImage(store, "on-acl").manifest.layers.at(-1)?.digest ?? "";
    const { tree } = await readLayer(chunked(readFileSync(blobPath(store, top))));
    expect(tree.entries.find(({ path }) => path === "shared")).toMatchObject({ mode: 0o674, xattrs });
  });

  it("keeps a container, makes an image of it, and opens a shell in a step that failed", async () => {
    const script = subIds ? "echo kept > /kept; chown 7:8 /kept; rm /etc/group" : "echo kept > /kept; rm /etc/group";
    await mustTsbuild(["run", "--keep", "work", "busybox", "sh", "-c", script], { user });
    await mustTsbuild(["commit", "-c", 'CMD ["sh", "-c", "stat -c %u:%g /kept; ls /etc/group"]', "work", "kept"], { user });
    expect((await tsbuild(["run", "kept"], { user })).stdout).toBe(subIds ? "7:8\n" : "0:0\n");
    await mustTsbuild(["rm", "work"], { user });
    expect(await mustTsbuild(["ps", "-q"], { user })).toBe("");

    const context = contextDirectory({ Dockerfile: `FROM busybox\nRUN ${script}; exit 3\n` });
    expect((await tsbuild(["--progress", "plain", context], { user })).stderr).toContain("exit code 3 [STEP_FAILED]");
    const seen = await tsbuild(["shell", "-c", "cat /kept; stat -c %u:%g /kept; ls /etc/group; touch /new"], { user });
    expect(seen.stdout).toBe(`kept\n${subIds ? "7:8" : "0:0"}\n`);
    await mustTsbuild(["prune", "--force", "--filter", "type=failed"], { user });
    expect((await tsbuild(["shell", "-c", "true"], { user })).stderr).toContain("[NO_FAILED_STEP]");
  });

  it("is told of a lack of ids where a command failed, and only there", async () => {
    const context = contextDirectory({ Dockerfile: "FROM busybox\nRUN touch /f && chown 5 /f && false\n" });
    const built = await tsbuild(["--progress", "plain", context], { user });
    expect(built.code, built.stderr).toBe(1);
    expect(built.stderr).toContain("exit code 1 [STEP_FAILED]");
    const hint = "  hint: this sandbox has one user id only: a command that becomes another user (su, a service of its own) fails; ";
    if (subIds) expect(built.stderr).not.toContain("one user id");
    else expect(built.stderr).toContain(hint);
  });

  it("is not frightened by info, where all that is needed works", async () => {
    const { code, stdout } = await tsbuild(["info"], { user });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^overlay +not needed +/m);
    expect(stdout).toMatch(/^overlay in a user namespace +yes +/m);
    // Whether an ordinary user may open /dev/net/tun is the machine's affair.
    expect(stdout).toMatch(/^pasta +(yes|no) +/m);
    // Below the table are remedies; of what works, or is not needed, there are none.
    const remedies = stdout.split("\n\n").slice(2).join("\n");
    expect(remedies).not.toMatch(/^(overlay|user namespaces)/m);
    if (!subIds) expect(remedies).toContain("sub-ids: usermod --add-subuids");
  });

  it("has the demonstration built and served", async () => {
    const result = await asUser(user, [user.node, `${user.checkout}/.scripts/demo.mjs`]);
    expect(result.code, result.stdout + result.stderr).toBe(0);
    expect(result.stdout).toContain("as an ordinary user: the busybox sample instead of the Debian one");
    expect(result.stdout).toContain("<h1>Hello from busybox</h1>");
  });

  it("removes its images without help", async () => {
    expect((await tsbuild(["rmi", "own"], { user })).code).toBe(0);
  });

  it("removes the store whole as the documentation says", async () => {
    // Files of other owners, and directories that nobody may enter, are what a plain rm stops at.
    const locked = contextDirectory({ Dockerfile: "FROM busybox\nRUN mkdir -p /d/e && touch /d/e/f && chmod 0 /d/e /d\n" });
    expect((await tsbuild(["-q", locked], { user })).code).toBe(0);
    const remove = subIds ? "unshare --map-auto --map-root-user rm -rf" : 'chmod -R u+rwx "$0" && rm -rf';
    const removed = await asUser(user, ["sh", "-c", `${remove} "$0"`, store]);
    expect(removed).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(existsSync(store)).toBe(false);
    const written = sectionOf("docs/store.md", "Removing a store");
    for (const word of remove.replaceAll('"$0"', "DIR").split(" && ")) expect(written).toContain(word);
  });
});

describe("a build without RUN", needs("root", "privateMounts"), () => {
  it("needs no namespace: it works where an ordinary user may make none", async () => {
    const user = createUser({ uid: 4803, subIds: false });
    const context = contextDirectory({ Dockerfile: "FROM scratch\nCOPY --chown=12:34 file /\n", file: "x\n" });
    // A limit of zero forbids user namespaces below the one that the shell makes.
    const script = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"';
    const result = await tsbuild(["--progress", "plain", "-t", "plain", context], {
      user,
      prefix: ["unshare", "--user", "--map-user", "4803", "--map-group", "4803", "--keep-caps", "sh", "-c", script, "sh"],
    });
    expect(result.code, result.stderr).toBe(0);
    expect(readLayoutImage(`${user.home}/.local/share/tsbuild`, "plain").manifest.layers).toHaveLength(1);
  });
});
