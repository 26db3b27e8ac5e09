import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { importBusybox } from "../support/bases.ts";
import { type CliOptions, temporaryStore, tsbuild } from "../support/cli.ts";
import { type CommandResult, command } from "../support/command.ts";
import { contextDirectory } from "../support/context.ts";
import { type Mutation, mutant } from "../support/mutant.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { createUser } from "../support/users.ts";

const SECRET = "v3ry-secret-v4lue-0f-the-user";

// "no change" is an id, and what gets into a layer is not searched.
const DEFENCES: readonly Mutation[] = [
  { file: "builder/steps/passwd.ts", from: ".filter(({ uid, gid }) => uid <= maxId && gid <= maxId)", to: "" },
  { file: "runtime-addon/sandbox-plan.ts", from: "value >= 0xffffffff", to: "value > 0xffffffff" },
  {
    file: "builder/secrets/layer-gate.ts",
    from: "refuseLeaks(leaks, all",
    to: "refuseLeaks([], all",
  },
];

/** A Dockerfile that attacks. The host has a directory with a passwd file in which there is a user `stranger`. */
interface ImageAttack {
  readonly name: string;
  readonly dockerfile: (host: string) => string;
  /** Whether what the build, and after it `cat /copy` in its image, say is that it succeeded. */
  readonly hasSucceeded: (built: CommandResult, copy: string) => boolean;
}

const isRoot = ({ stderr }: CommandResult) => stderr.includes("runs as 0");

/** With a control. */
const ATTACKS: readonly ImageAttack[] = [
  {
    name: "a user in passwd whose id means no change",
    dockerfile: () => String.raw`FROM busybox
RUN printf 'evil:x:4294967295:4294967295::/:/bin/sh\n' > /etc/passwd
USER evil
RUN echo runs as $(id -u)`,
    hasSucceeded: isRoot,
  },
  {
    name: "a secret symlinked into the layer",
    dockerfile: () => `FROM busybox
RUN --mount=type=secret,id=token ln -s /run/secrets/token /link && cp /link /copy`,
    hasSucceeded: (_built, copy) => copy === SECRET,
  },
];

/** What cannot succeed by the way it is made: there is nothing to take out. */
const FUTILE: readonly ImageAttack[] = [
  {
    name: "a passwd file that is a link to the host's",
    dockerfile: (host) => `FROM busybox\nRUN ln -sf ${host}/passwd /etc/passwd\nUSER stranger\nRUN echo runs as $(id -u)`,
    hasSucceeded: isRoot,
  },
  {
    name: "a group file that climbs out to the host's",
    dockerfile: (host) =>
      `FROM busybox\nRUN ln -sf ../../../../../../..${host}/group /etc/group\nUSER 0:stranger\nRUN echo runs as $(id -u)`,
    hasSucceeded: isRoot,
  },
  {
    name: "a passwd file that is a pipe, which nobody writes to",
    dockerfile: () => "FROM busybox\nRUN rm /etc/passwd && mkfifo /etc/passwd\nUSER stranger\nRUN echo runs as $(id -u)",
    hasSucceeded: isRoot,
  },
  {
    name: "a user in passwd without an id",
    dockerfile: () => "FROM busybox\nRUN echo evil:x:::: > /etc/passwd\nUSER evil\nRUN echo runs as $(id -u)",
    hasSucceeded: isRoot,
  },
  {
    name: "a secret whose mount point is a link into the layer",
    dockerfile: () => `FROM busybox
RUN mkdir /kept && ln -s /kept /run/secrets || { mkdir -p /run && ln -s /kept /run/secrets; }
RUN --mount=type=secret,id=token cat /run/secrets/token > /dev/null
RUN cat /kept/token > /copy || true`,
    hasSucceeded: (_built, copy) => copy === SECRET,
  },
  {
    name: "a link in the layer that names the secret of a later step",
    dockerfile: () => `FROM busybox
RUN ln -s /run/secrets/token /copy
RUN --mount=type=secret,id=token cat /copy > /dev/null`,
    hasSucceeded: (_built, copy) => copy !== "",
  },
];

type Tool = (args: readonly string[]) => Promise<CommandResult>;

async function attempt(tool: Tool, { dockerfile, hasSucceeded }: ImageAttack): Promise<boolean> {
  const host = temporaryDirectory("host");
  mkdirSync(join(host, "sub"));
  writeFileSync(join(host, "passwd"), "stranger:x:0:0::/:/bin/sh\n");
  writeFileSync(join(host, "group"), "stranger:x:0:\n");
  const context = contextDirectory({ Dockerfile: dockerfile(host) });
  const flags = ["--progress", "plain", "--no-cache", "--network", "none", "--secret", "id=token,env=THE_TOKEN", "-t", "attack"];
  const built = await tool(["build", ...flags, context]);
  const copy = built.code === 0 ? (await tool(["run", "--rm", "attack", "cat", "/copy"])).stdout : "";
  return hasSucceeded(built, copy);
}

const ROWS = [
  { name: "root", make: () => ({ store: temporaryStore() }) },
  { name: "a user with sub-ids", make: () => ({ user: createUser({ uid: 61_011, subIds: true }) }) },
  { name: "a user with one id", make: () => ({ user: createUser({ uid: 61_012, subIds: false }) }) },
] as const;

const isPossible = needs("root", "privateMounts", "userNamespaces", "subIds");

describe.each(ROWS)("an image built by $name", { ...isPossible, timeout: 60_000 }, ({ make }) => {
  let options: CliOptions;
  beforeAll(async () => {
    options = { ...make(), env: { THE_TOKEN: SECRET }, timeoutMs: 50_000 };
    await importBusybox(options);
  }, 60_000);

  it.each([...ATTACKS, ...FUTILE])("gains nothing by $name", async (attack) => {
    expect(await attempt((args) => tsbuild(args, options), attack)).toBe(false);
  });
});

describe("without the defences", { ...isPossible, timeout: 60_000 }, () => {
  const store = temporaryStore();
  let tool: Tool;
  beforeAll(async () => {
    const { cli } = await mutant(DEFENCES, { bundle: true });
    const env = { ...process.env, TSBUILD_ROOT: store, NO_COLOR: "1", THE_TOKEN: SECRET };
    tool = (args) => command([process.execPath, cli, ...args], { env });
    await importBusybox({ store });
  }, 120_000);

  it.each(ATTACKS)("an image gains by $name", async (attack) => {
    expect(await attempt(tool, attack), "the attack does nothing, and its test proves nothing").toBe(true);
  });
});
