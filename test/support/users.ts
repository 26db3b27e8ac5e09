import { chmodSync, chownSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type CommandOptions, type CommandResult, command } from "./command.ts";
import { temporaryDirectory } from "./temporary.ts";

/** An ordinary user who exists only for the commands that are run as them. */
export interface TestUser {
  readonly uid: number;
  readonly name: string;
  /** Belongs to the user, as does all below it. */
  readonly home: string;
  /** Where the user sees the checkout, read-only for them, wherever it lies. */
  readonly checkout: string;
  /** The node binary, likewise. */
  readonly node: string;
  /** Holds the files that are bound over /etc's. */
  readonly etc: string;
  /** May open /dev/net/tun, where the machine has it. */
  readonly tunDevice: boolean;
}

const CHECKOUT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

const SUB_ID_START = 3_000_000;
const SUB_ID_COUNT = 65_536;

/**
 * Makes a user with an own home, with or without a range of sub-ids. The machine's own files stay as they are: passwd, group,
 * subuid and subgid are bound over /etc's in a private mount namespace for each command. Needs root.
 */
export function createUser(options: { readonly uid: number; readonly subIds: boolean; readonly tunDevice?: boolean }): TestUser {
  const { uid, subIds, tunDevice = false } = options;
  const directory = temporaryDirectory("user");
  const name = `tsbuild-test-${uid}`;
  const user: TestUser = {
    uid,
    name,
    home: join(directory, "home"),
    checkout: join(directory, "checkout"),
    node: join(directory, "bin/node"),
    etc: join(directory, "etc"),
    tunDevice,
  };
  for (const path of [user.home, user.checkout, user.etc, join(directory, "bin")]) mkdirSync(path, { mode: 0o755 });
  writeFileSync(user.node, "");
  const range = subIds ? `${name}:${SUB_ID_START}:${SUB_ID_COUNT}\n` : "";
  const files = {
    passwd: `root:x:0:0:root:/root:/bin/sh\n${name}:x:${uid}:${uid}::${user.home}:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n`,
    group: `root:x:0:\n${name}:x:${uid}:\nnogroup:x:65534:\n`,
    subuid: range,
    subgid: range,
  };
  for (const [file, text] of Object.entries(files)) writeFileSync(join(user.etc, file), text, { mode: 0o644 });
  for (const path of ["", ".config", ".cache", ".local", ".local/share", "run", "tmp"]) {
    const absolute = join(user.home, path);
    mkdirSync(absolute, { recursive: true });
    chmodSync(absolute, 0o700);
    chownSync(absolute, uid, uid);
  }
  return user;
}

/** In a private mount namespace: everyone may open /dev/net/tun, where the machine has it. */
export const OPEN_TUN_DEVICE =
  "if [ -c /dev/net/tun ]; then mount -t tmpfs -o mode=0755 tun /dev/net && mknod -m 0666 /dev/net/tun c 10 200; fi";

/** Runs a command as the user, with an environment of their own and `env` added to it. */
export function asUser(
  user: TestUser,
  argv: readonly [string, ...string[]],
  options: Omit<CommandOptions, "env"> & UserOptions = {},
): Promise<CommandResult> {
  const { env, cwd, ...rest } = options;
  const { argv: whole, env: environment } = userCommand(user, argv, { ...(env && { env }), ...(cwd && { cwd }) });
  return command(whole, { ...rest, env: environment });
}

interface UserOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
}

/** The command by which root runs another one as the user, and the whole environment for it. */
export function userCommand(
  user: TestUser,
  argv: readonly [string, ...string[]],
  { env = {}, cwd = user.home }: UserOptions = {},
): { readonly argv: readonly [string, ...string[]]; readonly env: NodeJS.ProcessEnv } {
  const script = [
    "set -e",
    // A file that the machine does not have cannot be bound over; without it nobody has a range, which is what its emptiness says.
    'for file in passwd group subuid subgid; do if [ -e "/etc/$file" ]; then mount --bind "$1/$file" "/etc/$file"; elif [ -s "$1/$file" ]; then echo "/etc/$file is missing" >&2; exit 97; fi; done',
    'mount --bind "$2" "$3"',
    'mount --bind "$4" "$5"',
    'mount -o remount,bind,ro "$3"',
    ...(user.tunDevice ? [OPEN_TUN_DEVICE] : []),
    'cd "$6"',
    'uid="$7"',
    "shift 7",
    'exec setpriv --reuid "$uid" --regid "$uid" --clear-groups "$@"',
  ].join("\n");
  const environment: NodeJS.ProcessEnv = {
    PATH: `${dirname(user.node)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    HOME: user.home,
    USER: user.name,
    LANG: "C.UTF-8",
    TMPDIR: join(user.home, "tmp"),
    XDG_CONFIG_HOME: join(user.home, ".config"),
    XDG_CACHE_HOME: join(user.home, ".cache"),
    XDG_DATA_HOME: join(user.home, ".local/share"),
    XDG_RUNTIME_DIR: join(user.home, "run"),
    ...env,
  };
  const setUp = [user.etc, CHECKOUT, user.checkout, process.execPath, user.node, cwd, String(user.uid)];
  return { argv: ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", ...setUp, ...argv], env: environment };
}
