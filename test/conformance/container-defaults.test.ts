import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { bundleMounts } from "../../builder/bundle/mounts.ts";
import { MASKED_PATHS, READ_ONLY_PATHS } from "../../runtime-addon/index.ts";
import { box, lines } from "../runtime-addon/box.ts";
import { mustRun } from "../support/command.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { DEVICES, DIFFERENCES, DOCKER, MORE_FLAGS, PODMAN, type SystemPaths } from "./container-defaults.ts";

interface SpecMount {
  readonly destination: string;
  readonly type: string;
  readonly options?: readonly string[];
}

interface RuntimeSpec {
  readonly mounts: readonly SpecMount[];
  readonly linux: { readonly maskedPaths: readonly string[]; readonly readonlyPaths: readonly string[] };
}

/** How ours differ from a peer's, in the shape of the list of reasons. */
function differences(peer: SystemPaths) {
  const without = (all: readonly string[], others: readonly string[]) => all.filter((path) => !others.includes(path)).sort();
  return { more: without(MASKED_PATHS, peer.masked), less: without(peer.masked, MASKED_PATHS) };
}

function listed(peer: keyof typeof DIFFERENCES) {
  const { more, less } = DIFFERENCES[peer];
  return { more: Object.keys(more).sort(), less: Object.keys(less).sort() };
}

describe("what a container does not see of the kernel's files", () => {
  it.each([
    ["docker", DOCKER],
    ["podman", PODMAN],
  ] as const)("differs from %s's list by what is listed with a reason", (name, peer) => {
    expect(differences(peer)).toEqual(listed(name));
    // What we do not let it write is what the peer does not, or is not there to be written.
    expect(peer.readOnly.filter((path) => !READ_ONLY_PATHS.includes(path) && !MASKED_PATHS.includes(path))).toEqual([]);
    expect(READ_ONLY_PATHS.filter((path) => !peer.readOnly.includes(path))).toEqual([]);
  });
});

describe("beside what runc spec writes", needs("runc"), () => {
  let spec: RuntimeSpec;

  beforeAll(async () => {
    const directory = temporaryDirectory("spec");
    await mustRun(["runc", "spec", "--bundle", directory]);
    spec = JSON.parse(readFileSync(join(directory, "config.json"), "utf8"));
  });

  it("as much is hidden, and no more but what is listed with a reason", () => {
    const { maskedPaths: masked, readonlyPaths: readOnly } = spec.linux;
    const { more, less } = differences({ masked, readOnly });
    expect(less).toEqual([]);
    // Newer versions hide more than older ones.
    expect(listed("runc").more).toEqual(expect.arrayContaining(more));
    expect([...READ_ONLY_PATHS].sort()).toEqual([...readOnly].sort());
  });

  it("a bundle has the same mounts, and the files of names", () => {
    const ours = bundleMounts({ given: [], rootless: false, network: "none" }) as unknown as readonly SpecMount[];
    const files = ours.filter(({ type }) => type === "bind").map(({ destination }) => destination);
    expect(files).toEqual(["/etc/hosts", "/etc/resolv.conf"]);
    const { flags } = MORE_FLAGS["/proc"];
    expect(byPath(ours.filter(({ type }) => type !== "bind"))).toEqual({ ...byPath(spec.mounts), "/proc": ["proc", ...flags].join(" ") });
  });

  it("the sandbox has the same mounts, with no more flags but what is listed with a reason", needs("root", "privateMounts"), async () => {
    const shown = await mountFlags();
    // A machine without control groups has none to show.
    const mounts = spec.mounts.filter(({ destination }) => destination !== "/sys/fs/cgroup" || shown.has(destination));
    for (const { destination, options = [] } of mounts) {
      const more: readonly string[] = Object.hasOwn(MORE_FLAGS, destination)
        ? MORE_FLAGS[destination as keyof typeof MORE_FLAGS].flags
        : [];
      const wanted = [...options, ...more].filter((option) => FLAGS.has(option)).sort();
      expect([destination, shown.get(destination)]).toEqual([destination, wanted]);
    }
  });

  it("what else is mounted covers something, or is a device of every container", needs("root", "privateMounts"), async () => {
    const known = new Set([...spec.mounts.map(({ destination }) => destination), ...MASKED_PATHS, ...READ_ONLY_PATHS]);
    const others = [...(await mountFlags()).keys()].filter((path) => !known.has(path) && !path.startsWith("/sys/fs/cgroup/"));
    expect(others.sort()).toEqual(["/", ...DEVICES]);
  });
});

const FLAGS = new Set(["nodev", "noexec", "nosuid", "ro"]);

/** The flags of each mount that a command sees, sorted, by path (proc_pid_mountinfo(5)). */
async function mountFlags(): Promise<ReadonlyMap<string, readonly string[]>> {
  const mounts = lines(await box("cat /proc/self/mountinfo", { network: "none" })).map((line) => line.split(" "));
  return new Map(
    mounts.map(([, , , , path = "", options = ""]) => [
      path,
      options
        .split(",")
        .filter((flag) => FLAGS.has(flag))
        .sort(),
    ]),
  );
}

/** Type and sorted options by path: sizes and times of access are no matter of rights. */
function byPath(mounts: readonly SpecMount[]): Readonly<Record<string, string>> {
  const isRight = (option: string) => !/^(size=.*|relatime|strictatime)$/.test(option);
  return Object.fromEntries(
    mounts.map(({ destination, type, options = [] }) => [destination, [type, ...options.filter(isRight).sort()].join(" ")]),
  );
}
