import { constants } from "node:os";
import { describe, expect, it } from "vitest";
import { type IdMapInputs, parseIdMap, userName } from "../../runtime-addon/id-map.ts";
import { type IdMap, planIdMap } from "../../runtime-addon/index.ts";

const writers = { newuidmap: "/usr/bin/newuidmap", newgidmap: "/usr/bin/newgidmap" };

const everyId = [{ inside: 0, outside: 0, count: 4_294_967_295 }];

function plan(changes: Partial<IdMapInputs>): IdMap {
  return planIdMap({
    uid: 1000,
    gid: 1001,
    user: "ann",
    subuid: "ann:100000:65536\n",
    subgid: "ann:200000:65536\n",
    writers,
    ownUids: everyId,
    ownGids: everyId,
    mayMap: false,
    noNewPrivileges: false,
    ...changes,
  });
}

describe("the id map of a user", () => {
  it("is the own id and then the sub-ids", () => {
    expect(plan({})).toEqual({
      kind: "ranges",
      uid: [
        { inside: 0, outside: 1000, count: 1 },
        { inside: 1, outside: 100_000, count: 65_536 },
      ],
      gid: [
        { inside: 0, outside: 1001, count: 1 },
        { inside: 1, outside: 200_000, count: 65_536 },
      ],
      writers,
    });
  });

  it.each<[string, string, [number, number, number][]]>([
    [
      "several lines add up",
      "ann:100000:10\nann:300000:20\n",
      [
        [1, 100_000, 10],
        [11, 300_000, 20],
      ],
    ],
    ["a number names its user", "1000:5000:7\n", [[1, 5000, 7]]],
    ["lines of others count for them", "bob:100000:10\nann:7000:3\nannette:1:1\n", [[1, 7000, 3]]],
    ["comments, spaces and nonsense are nobody's", "# ann:1:2\nann:x:2\nann:5:-1\nann:5\n\nann:9000:4  \n", [[1, 9000, 4]]],
    ["empty ranges and those past the last id are left out", "ann:1:0\nann:4294967290:10\nann:10:5\n", [[1, 10, 5]]],
    [
      "the kernel refuses overlaps: the first counts",
      "ann:100:10\nann:105:10\nann:200:1\n",
      [
        [1, 100, 10],
        [11, 200, 1],
      ],
    ],
    ["a range with the own id is left out", "ann:999:10\nann:5000:2\n", [[1, 5000, 2]]],
  ])("%s", (_name, subuid, ranges) => {
    const map = plan({ subuid });
    expect(map.kind).toBe("ranges");
    expect(map.uid.slice(1).map(({ inside, outside, count }) => [inside, outside, count])).toEqual(ranges);
  });

  it.each<[string, Partial<IdMapInputs>, string]>([
    ["no sub-uids", { subuid: "" }, "/etc/subuid has no range for ann"],
    ["no sub-gids", { subgid: "bob:1:2" }, "/etc/subgid has no range for ann"],
    ["no name, and no line with the number", { user: undefined }, "/etc/subuid has no range for 1000"],
    ["no newuidmap", { writers: undefined }, "newuidmap and newgidmap (package uidmap) are not installed"],
    ["set-uid programs that gain nothing", { noNewPrivileges: true }, "newuidmap gains no privilege here: no_new_privs is set"],
  ])("is a single id with %s", (_name, changes, reason) => {
    expect(plan(changes)).toEqual({
      kind: "single",
      uid: [{ inside: 0, outside: 1000, count: 1 }],
      gid: [{ inside: 0, outside: 1001, count: 1 }],
      reason,
    });
  });

  it("of root is all ids that there are, written by root itself", () => {
    const root = { uid: 0, gid: 0, user: "root", subuid: "root:1000:5", subgid: "root:1000:5", noNewPrivileges: true, mayMap: true };
    expect(plan(root)).toEqual({ kind: "ranges", uid: everyId, gid: everyId, writers: undefined });
    // In a user namespace, what it has inside.
    const ownUids = [
      { inside: 0, outside: 1000, count: 1 },
      { inside: 1, outside: 100_000, count: 65_535 },
    ];
    expect(plan({ ...root, ownUids }).uid).toEqual([
      { inside: 0, outside: 0, count: 1 },
      { inside: 1, outside: 1, count: 65_535 },
    ]);
  });

  it.each<[string, Partial<IdMapInputs>, string]>([
    ["rights", {}, "root lacks CAP_SETUID and CAP_SETGID here"],
    ["ids", { mayMap: true, ownUids: [{ inside: 0, outside: 1000, count: 1 }] }, "this user namespace has one id"],
  ])("of a root without %s is a single id", (_name, changes, reason) => {
    expect(plan({ uid: 0, gid: 0, user: "root", ...changes })).toMatchObject({ kind: "single", reason });
  });

  it("is read from the kernel's own form", () => {
    expect(parseIdMap("         0       1000          1\n         1     100000      65536\n")).toEqual([
      { inside: 0, outside: 1000, count: 1 },
      { inside: 1, outside: 100_000, count: 65_536 },
    ]);
    expect(parseIdMap("")).toEqual([]);
  });
});

describe("the name of a user", () => {
  const failing = (errno: number) => () => {
    throw Object.assign(new Error("uv_os_get_passwd"), { code: "ERR_SYSTEM_ERROR", errno });
  };

  it("is none where the user database has no entry", () => expect(userName(failing(-constants.errno.ENOENT))).toBeUndefined());

  it("is an error where the user database cannot be read", () =>
    expect(() => userName(failing(-constants.errno.EMFILE))).toThrow("uv_os_get_passwd"));
});
