import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { importDebian } from "../support/bases.ts";
import { type CliOptions, mustTsbuild, temporaryStore, tsbuild } from "../support/cli.ts";
import { contextDirectory } from "../support/context.ts";
import { readLayoutImage } from "../support/layout.ts";
import { needs } from "../support/needs.ts";
import { createUser } from "../support/users.ts";

const LONG_MS = 600_000;

/** What packages do as root: owners, groups, set-id bits, other users; nothing that depends on the clock or the process. */
const DOCKERFILE = `FROM debian
RUN groupadd --gid 4242 crew && useradd --uid 4242 --gid crew --create-home --shell /bin/bash ann && adduser --quiet --disabled-password --gecos '' bob \\
 && rm -f /var/log/lastlog /var/log/faillog
RUN install -d -o ann -g crew -m 2775 /srv/crew && touch /srv/crew/file && chown -h ann:crew /srv/crew/file && chown 60000:60001 /srv/crew/file \\
 && install -o root -g crew -m 4755 /bin/true /usr/local/bin/crewed && ln -s nowhere /srv/link && chown -h 7:8 /srv/link
RUN apt-get update -q && apt-get install -q -y --no-install-recommends cron && rm -rf /var/lib/apt/lists/* /var/log /var/cache /tmp/*
RUN setpriv --clear-groups true && su root -c 'id -u' && test "$(stat -c %G /usr/bin/crontab)" != '' && apt-config dump APT::Sandbox::User > /sandbox-user
`;

const ROWS = [
  { name: "with a range of sub-ids", uid: 4811, subIds: true },
  { name: "without a range of sub-ids", uid: 4812, subIds: false },
] as const;

const needed = needs("root", "privateMounts", "userNamespaces", "subIds", "debootstrap", "packageArchive");

describe("packages, users and owners on a Debian base", needed, () => {
  const context = () => contextDirectory({ Dockerfile: DOCKERFILE });
  const args = ["--progress", "plain", "--host-ca", "--source-date-epoch", "1700000000", "-t", "app"];
  const asRoot: CliOptions = { store: temporaryStore(), timeoutMs: LONG_MS };

  async function build(options: CliOptions): Promise<string> {
    await importDebian(options);
    const { code, stderr } = await tsbuild([...args, context()], options);
    expect(code, stderr.slice(-6000)).toBe(0);
    return stderr;
  }

  beforeAll(async () => {
    await build(asRoot);
  }, LONG_MS);

  it.each(ROWS)(
    "an ordinary user $name builds them",
    async ({ uid, subIds }) => {
      const user = createUser({ uid, subIds });
      const options = { user, timeoutMs: LONG_MS };
      const said = await build(options);
      const store = `${user.home}/.local/share/tsbuild`;
      const layersOf = (root: string) => readLayoutImage(root, "app").config.rootfs.diff_ids;
      if (subIds) {
        // Byte for byte what root builds.
        expect(layersOf(store)).toEqual(layersOf(asRoot.store as string));
        return;
      }
      expect(said).toContain(
        "with one id only (/etc/subuid has no range for tsbuild-test-4812): every file of a RUN layer belongs to root",
      );
      const owners = await mustTsbuild(["run", "--rm", "app", "stat", "-c", "%u:%g %n", "/srv/crew/file", "/usr/bin/crontab"], options);
      expect(owners).toBe("0:0 /srv/crew/file\n0:0 /usr/bin/crontab\n");
      expect(await mustTsbuild(["run", "--rm", "app", "sh", "-c", "cat /sandbox-user; id -u ann; ls /dev/tsbuild"], options)).toBe(
        'APT::Sandbox::User "root";\n4242\napt.conf\n',
      );
    },
    LONG_MS,
  );

  it("leaves nothing of how it was made in the layers", () => {
    const tar = execFileSync("tar", ["-tf", join(asRoot.store as string, "blobs/sha256", lastLayer(asRoot.store as string))], {
      encoding: "utf8",
    });
    expect(tar).toBe("sandbox-user\n");
  });

  function lastLayer(store: string): string {
    return (readLayoutImage(store, "app").manifest.layers.at(-1)?.digest ?? "").replace("sha256:", "");
  }
});
