import { describe, expect, it } from "vitest";
import { resolveOwner, resolveUser } from "../../../builder/steps/passwd.ts";
import type { SourceEntry } from "../../../store/layer/entry.ts";
import type { Rootfs } from "../../../store/layer/rootfs.ts";
import { directoryEntry, fileEntry, symlinkEntry } from "../../store/layer/samples.ts";
import { handmadeRootfs, writtenRootfs } from "./trees.ts";

const passwd = [
  "# a comment",
  "root:x:0:0:root:/root:/bin/sh",
  "app:x:1000:100:App:/home/app:/bin/sh",
  "nohome:x:1001:1001:::",
  "1002:x:77:78::/odd:",
  "noid:x:::/:",
  "+::::::",
  "broken",
  "neg:x:-1:0::/:",
  "huge:x:4294967295:0::/:",
  "crlf:x:1003:1003::/c:/bin/sh\r",
].join("\n");
const group = "root:x:0:\nadm:x:4:root,app\nstaff:x:50:app\nweb:x:33:nobody\nnogid:x::app\n";

const image = await writtenRootfs([directoryEntry("etc"), fileEntry("etc/passwd", passwd), fileEntry("etc/group", group)]);
const empty = handmadeRootfs([]);

type Row = [text: string, expected: { uid: number; gid: number; groups: number[]; home: string }];

describe("USER", () => {
  it.each<Row>([
    ["", { uid: 0, gid: 0, groups: [4], home: "/root" }],
    ["root", { uid: 0, gid: 0, groups: [4], home: "/root" }],
    ["0", { uid: 0, gid: 0, groups: [4], home: "/root" }],
    ["app", { uid: 1000, gid: 100, groups: [4, 50], home: "/home/app" }],
    ["app:", { uid: 1000, gid: 100, groups: [4, 50], home: "/home/app" }],
    ["1000", { uid: 1000, gid: 100, groups: [4, 50], home: "/home/app" }],
    ["app:web", { uid: 1000, gid: 33, groups: [], home: "/home/app" }],
    ["app:33", { uid: 1000, gid: 33, groups: [], home: "/home/app" }],
    ["1000:1000", { uid: 1000, gid: 1000, groups: [], home: "/home/app" }],
    ["5555", { uid: 5555, gid: 0, groups: [], home: "/" }],
    ["5555:web", { uid: 5555, gid: 33, groups: [], home: "/" }],
    [":web", { uid: 0, gid: 33, groups: [], home: "/root" }],
    ["nohome", { uid: 1001, gid: 1001, groups: [], home: "/" }],
    ["crlf", { uid: 1003, gid: 1003, groups: [], home: "/c" }],
    ["1002", { uid: 1002, gid: 0, groups: [], home: "/" }],
    ["4294967294", { uid: 4294967294, gid: 0, groups: [], home: "/" }],
  ])("%j is %j", async (text, expected) => {
    expect(await resolveUser(image, text)).toEqual(expected);
  });

  it.each<Row>([
    ["", { uid: 0, gid: 0, groups: [], home: "/" }],
    ["0:0", { uid: 0, gid: 0, groups: [], home: "/" }],
    ["1000", { uid: 1000, gid: 0, groups: [], home: "/" }],
  ])("%j is %j in an image without files", async (text, expected) => {
    expect(await resolveUser(empty, text)).toEqual(expected);
  });
});

describe("--chown", () => {
  it.each<[text: string, uid: number, gid: number]>([
    ["app", 1000, 100],
    ["1000", 1000, 1000],
    ["app:web", 1000, 33],
    ["app:7", 1000, 7],
    ["7:8", 7, 8],
    [":web", 0, 33],
    ["0", 0, 0],
    ["root", 0, 0],
  ])("%s is %d:%d", async (text, uid, gid) => {
    expect(await resolveOwner(image, text)).toEqual({ uid, gid });
  });

  it("by numbers needs no files", async () => {
    expect(await resolveOwner(empty, "7:8")).toEqual({ uid: 7, gid: 8 });
  });
});

describe("a user or group that nobody is", () => {
  type Failure = [text: string, code: string, message: string];
  const user = (name: string) => `looking for the user "${name}": the image's /etc/passwd has no such name`;
  const groupNamed = (name: string) => `looking for the group "${name}": the image's /etc/group has no such name`;
  const range = (text: string, id: string) => `reading the user "${text}": ${id} is not an id from 0 to 4294967294`;

  it.each<Failure>([
    ["nobody", "UNKNOWN_USER", user("nobody")],
    ["noid", "UNKNOWN_USER", user("noid")],
    ["neg", "UNKNOWN_USER", user("neg")],
    ["huge", "UNKNOWN_USER", user("huge")],
    ["+", "UNKNOWN_USER", user("+")],
    ["App", "UNKNOWN_USER", user("App")],
    ["app:nope", "UNKNOWN_GROUP", groupNamed("nope")],
    ["app:nogid", "UNKNOWN_GROUP", groupNamed("nogid")],
    ["4294967295", "INVALID_USER", range("4294967295", "4294967295")],
    ["1:99999999999999999999", "INVALID_USER", range("1:99999999999999999999", "99999999999999999999")],
  ])("is an error: %s", async (text, code, message) => {
    const expected = expect.objectContaining({ code, message });
    await expect(resolveUser(image, text)).rejects.toEqual(expected);
    await expect(resolveOwner(image, text)).rejects.toEqual(expected);
  });

  it("is every name in an image without files", async () => {
    const passwdHint = "this stage has no /etc/passwd: use a number";
    await expect(resolveUser(empty, "root")).rejects.toMatchObject({ code: "UNKNOWN_USER", hint: passwdHint });
    await expect(resolveOwner(empty, "root")).rejects.toMatchObject({ code: "UNKNOWN_USER", hint: passwdHint });
    await expect(resolveOwner(empty, "0:root")).rejects.toMatchObject({
      code: "UNKNOWN_GROUP",
      hint: "this stage has no /etc/group: use a number",
    });
    await expect(resolveUser(image, "nobody")).rejects.toMatchObject({
      hint: "add it in a RUN before (useradd, adduser), or use a number",
    });
  });
});

describe("attacks on the files", () => {
  const withEtc = async (...entries: readonly SourceEntry[]): Promise<Rootfs> => writtenRootfs([directoryEntry("etc"), ...entries]);

  it("passwd as a symlink leads within the image", async () => {
    const rootfs = await withEtc(
      symlinkEntry("etc/passwd", "../../../../lib/passwd"),
      directoryEntry("lib"),
      fileEntry("lib/passwd", "in:x:5:6::/:\n"),
    );
    expect(await resolveOwner(rootfs, "in")).toEqual({ uid: 5, gid: 6 });
  });

  it("passwd as a symlink to the host's finds nothing of the host", async () => {
    const rootfs = await withEtc(symlinkEntry("etc/passwd", "/proc/1/root/etc/passwd"));
    await expect(resolveUser(rootfs, "root")).rejects.toMatchObject({ code: "UNKNOWN_USER" });
  });

  it("passwd as a directory counts as none", async () => {
    await expect(resolveUser(await withEtc(directoryEntry("etc/passwd")), "root")).rejects.toMatchObject({ code: "UNKNOWN_USER" });
  });

  it("passwd that is huge is not read", async () => {
    const rootfs = await withEtc(fileEntry("etc/passwd", "x".repeat((4 << 20) + 1)));
    await expect(resolveUser(rootfs, "root")).rejects.toMatchObject({ code: "TOO_LARGE" });
  });

  it("a symlink that leads in a circle is an error", async () => {
    await expect(resolveUser(await withEtc(symlinkEntry("etc/passwd", "passwd")), "root")).rejects.toMatchObject({ code: "SYMLINK_LOOP" });
  });
});
