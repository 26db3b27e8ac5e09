import { beforeAll, describe, expect, it } from "vitest";
import { importBusybox } from "../support/bases.ts";
import { mustTsbuild, temporaryStore, tsbuild } from "../support/cli.ts";
import { contextDirectory } from "../support/context.ts";
import { readLayoutImage } from "../support/layout.ts";
import { needs } from "../support/needs.ts";

const DOCKERFILE = `FROM busybox
RUN mkdir -p /a/b && touch /a/b/f && chown 5:6 /a/b && chown 60000 /a/b/f && rm /etc/shadow && chmod 4755 /bin/busybox && mkfifo /p
COPY --chown=7:8 Dockerfile /a/copied
RUN stat -c '%u:%g %n' / /a /a/b /a/b/f /a/copied /etc/passwd /etc/hosts > /owners && rm -rf /a/b && mkdir -m 700 /a/b
RUN --mount=target=/context --mount=from=busybox,source=/etc,target=/other,rw echo x > /other/passwd && ls -d /context/.. /context/../context/Dockerfile > /seen
`;

const args = ["--progress", "plain", "--source-date-epoch", "1700000000", "-t", "app"];

describe("root that asks for a user namespace", needs("root", "privateMounts", "userNamespaces"), () => {
  const store = temporaryStore();
  let context: string;

  beforeAll(async () => {
    context = contextDirectory({ Dockerfile: DOCKERFILE });
    await importBusybox({ store });
  });

  it("builds what it builds without one, and takes it from the cache there", async () => {
    const { code, stderr } = await tsbuild([...args, "--userns", "auto", context], { store });
    expect(code, stderr).toBe(0);
    const other = temporaryStore();
    await importBusybox({ store: other });
    await mustTsbuild([...args, context], { store: other });
    expect(readLayoutImage(store, "app").imageId).toBe(readLayoutImage(other, "app").imageId);
    const again = await tsbuild([...args, context], { store });
    expect(again.stderr).not.toMatch(/^#\d+ done/m);
  });

  it("has containers whose root is nobody on the machine, and whose files have their owners", async () => {
    const script = "cat /owners; set -- $(cat /proc/self/uid_map); echo $1 $2 $3; touch /new && chown 9:9 /new && stat -c %u:%g /new";
    expect(await mustTsbuild(["run", "--rm", "--userns", "auto", "app", "sh", "-c", script], { store })).toBe(
      "0:0 /\n0:0 /a\n5:6 /a/b\n60000:0 /a/b/f\n7:8 /a/copied\n0:0 /etc/passwd\n0:0 /etc/hosts\n0 2000000000 65536\n9:9\n",
    );
  });

  it("leads out of no container by ..", async () => {
    const script = "stat -c '%d %i' / /.. /proc/.. /dev/.. /v/.. | sort -u | wc -l; touch /v/f 2>&1";
    const outside = contextDirectory({ file: "x" });
    const ran = await tsbuild(["run", "--rm", "--userns", "auto", "-v", `${outside}:/v`, "app", "sh", "-c", script], { store });
    // A directory of the machine's root is not its own.
    expect([ran.code, ran.stdout]).toEqual([1, "1\ntouch: /v/f: Permission denied\n"]);
  });

  it("is told where it cannot be had", async () => {
    const prefix = ["unshare", "--user", "--map-root-user", "--mount"];
    const mapped = temporaryStore();
    await importBusybox({ store: mapped, prefix });
    const { code, stderr } = await tsbuild([...args, "--userns", "auto", context], { store: mapped, prefix });
    expect(code).toBe(3);
    expect(stderr).toContain("making a sandbox in a user namespace of its own (userns auto): only root with all ids can [NO_SANDBOX]\n");
  });
});
