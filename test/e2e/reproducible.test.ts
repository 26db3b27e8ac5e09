import { lutimesSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { busyboxTar } from "../support/bases.ts";
import { CLI_PATH } from "../support/cli.ts";
import { command } from "../support/command.ts";
import { writeFiles } from "../support/context.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { asUser, createUser } from "../support/users.ts";

const many = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`src/d${i % 7}/file-${i}.txt`, `${i}\n`.repeat(i)]));

const FILES = {
  Dockerfile: `FROM busybox AS maker
ARG SOURCE_DATE_EPOCH
RUN mkdir -p /out/deep && for i in 3 1 2; do echo $i > /out/deep/$i; done && ln /out/deep/1 /out/hard && ln -s deep /out/link \\
 && touch -d '2035-01-01 00:00:00' /out/future && chmod 4755 /out/deep/2 && rm /etc/shadow && date > /tmp/now; rm /tmp/now
FROM busybox
LABEL z=1 a=2 M=3
ENV TZ=Europe/Paris
COPY --chown=5:6 src /src
COPY --from=maker /out /out
WORKDIR /new/dir
RUN cat /src/d1/* | md5sum > sum; sleep 0.1; echo done > done
VOLUME /v
USER 1000
CMD ["true"]
`,
  ".dockerignore": "*.tmp\n",
  "src/é.txt": "accent\n",
  "src/Z.txt": "upper\n",
  "src/a.txt": "lower\n",
  "src/ı.txt": "dotless\n",
  "src/run.sh": { text: "#!/bin/sh\n", mode: 0o755 },
  ...many,
};

/**
 * Copies the context to a place, imports the base, builds and prints the config of the image, from a shell so that umask and mounts
 * are its own. The parameters come as $1…: node, cli, place, base tar, context, umask, directory to stand in.
 */
const SCRIPT = `set -e
umask "$6"
mkdir -p "$3/work"
cp -a "$5" "$3/work/context"
cd "$7"
export TSBUILD_ROOT="$3/work/store"
"$1" -- "$2" import --change 'CMD ["sh"]' "$4" busybox > "$3/work/log" 2>&1 || { cat "$3/work/log" >&2; exit 1; }
"$1" -- "$2" build --no-cache --network none --progress plain --iidfile "$3/work/iid" -t result "$3/work/context" > "$3/work/log" 2>&1 || { cat "$3/work/log" >&2; exit 1; }
id=$(cat "$3/work/iid")
echo "$id"
cat "$3/work/store/blobs/sha256/\${id#sha256:}"
`;

interface Variant {
  readonly env?: Readonly<Record<string, string>>;
  readonly umask?: string;
  readonly cwd?: string;
  readonly reversed?: boolean;
  readonly sourceTimes?: number;
  readonly prefix?: readonly string[];
  /** Shell words run before the script, in a mount namespace of its own; $PLACE is where the build happens. */
  readonly mount?: string;
}

const BASE_ENV = {
  PATH: process.env.PATH,
  HOME: process.env.HOME,
  TMPDIR: process.env.TMPDIR,
  SOURCE_DATE_EPOCH: "0",
  TZ: "UTC",
  LANG: "C",
};

function context(variant: Variant): string {
  const directory = temporaryDirectory("context");
  const entries = Object.entries(FILES);
  writeFiles(directory, Object.fromEntries(variant.reversed ? entries.reverse() : entries));
  if (variant.sourceTimes !== undefined) {
    for (const path of [...Object.keys(FILES), "src"]) {
      if (path === "src") lutimesSync(join(directory, path), variant.sourceTimes, variant.sourceTimes);
      else utimesSync(join(directory, path), variant.sourceTimes, variant.sourceTimes);
    }
  }
  return directory;
}

function parametersOf(place: string, variant: Variant): string[] {
  return [process.execPath, CLI_PATH, place, busyboxTar(), context(variant), variant.umask ?? "022", variant.cwd ?? place];
}

async function configOf(variant: Variant): Promise<string> {
  const place = temporaryDirectory("place");
  const mount =
    variant.mount === undefined
      ? []
      : ["unshare", "--mount", "--propagation", "private", "sh", "-c", `set -e; ${variant.mount}; exec "$@"`, "sh"];
  const [first = "sh", ...rest] = [...mount, ...(variant.prefix ?? []), "sh", "-c", SCRIPT, "sh", ...parametersOf(place, variant)];
  const result = await command([first, ...rest], { env: { ...BASE_ENV, ...variant.env, PLACE: place } });
  if (result.code !== 0) throw new Error(result.stderr);
  return result.stdout;
}

describe("the same inputs with SOURCE_DATE_EPOCH give the same image", needs("sandbox"), () => {
  let first: string;
  let builtAtMs: number;

  beforeAll(async () => {
    first = await configOf({});
    builtAtMs = Date.now();
  });

  it("which has its layers, and no time but the epoch", () => {
    const config = JSON.parse(first.slice(first.indexOf("\n")));
    expect(config.rootfs.diff_ids.length).toBeGreaterThanOrEqual(4);
    expect(Date.parse(config.created)).toBe(0);
    expect(config.history.map((entry: { created?: string }) => Date.parse(entry.created ?? "")).filter((time: number) => time > 0)).toEqual(
      [],
    );
  });

  it.each<[name: string, variant: Variant]>([
    [
      "time zone, language, umask and directory",
      { env: { TZ: "Asia/Tokyo", LANG: "tr_TR.UTF-8", LC_ALL: "tr_TR.UTF-8" }, umask: "077", cwd: "/" },
    ],
    ["order in which files were made, and their times", { reversed: true, sourceTimes: 1_234_567_890 }],
    ["one processor", { prefix: ["taskset", "--cpu-list", "0"] }],
  ])("whatever the %s", async (_name, variant) => {
    // Times of one second would hide a clock that is read.
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, builtAtMs + 2_100 - Date.now())));
    expect(await configOf(variant)).toBe(first);
  });

  it("on tmpfs", needs("privateMounts"), async () => {
    expect(await configOf({ mount: 'mount -t tmpfs none "$PLACE"' })).toBe(first);
  });

  it("on ext4", needs("loopMounts"), async () => {
    const image = join(temporaryDirectory("ext4"), "image");
    const make = `truncate -s 256M ${image}; mkfs.ext4 -q ${image}; mount -o loop ${image} "$PLACE"`;
    expect(await configOf({ mount: make })).toBe(first);
  });

  it("by an ordinary user", needs("root", "privateMounts", "userNamespaces", "subIds"), async () => {
    const user = createUser({ uid: 4901, subIds: true });
    const parameters = parametersOf(user.home, {});
    parameters[0] = user.node;
    parameters[1] = `${user.checkout}/dist/tsbuild.js`;
    const result = await asUser(user, ["sh", "-c", SCRIPT, "sh", ...parameters], { env: { SOURCE_DATE_EPOCH: "0" } });
    expect(result.stdout, result.stderr).toBe(first);
  });
});
