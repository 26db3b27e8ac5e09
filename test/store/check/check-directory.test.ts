import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { ByteString } from "../../../runtime-addon/index.ts";
import { checkDirectory } from "../../../store/check/check-directory.ts";
import { applyLayer } from "../../../store/layer/apply.ts";
import type { SourceEntry } from "../../../store/layer/entry.ts";
import { writeLayer } from "../../../store/layer/tar-write.ts";
import { needs } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { aclOf, attributes, directoryEntry, fileEntry, hardlinkEntry, opaque, symlinkEntry, whiteout } from "../layer/samples.ts";

const bytes = (hex: string) => Buffer.from(hex, "hex").toString("latin1") as ByteString;

/** cap_net_raw=ep, cap_sys_admin=ep. */
const netRaw = bytes("0100000200200000000000000000000000000000");
const sysAdmin = "0x0100000200002000000000000000000000000000";

const layer: readonly SourceEntry[] = [
  directoryEntry("", { mode: 0o711, xattrs: { "user.root": bytes("01") } }),
  directoryEntry("d", { xattrs: { "system.posix_acl_default": aclOf([1, 7], [2, 5, 1000], [4, 5], [0x10, 7], [0x20, 0]) } }),
  fileEntry("d/capable", "x", { mode: 0o755, xattrs: { "security.capability": netRaw } }),
  fileEntry("d/noted", "y", { xattrs: { "user.note": bytes("6869"), "user.other": bytes("00ff") } }),
  // Mode 0640 takes the place of what it says of owner, mask and others.
  fileEntry("d/shared", "z", {
    mode: 0o640,
    xattrs: { "system.posix_acl_access": aclOf([1, 7], [2, 7, 1000], [4, 7], [0x10, 7], [0x20, 7]) },
  }),
  fileEntry("d/trivial", "", { mode: 0o600, xattrs: { "system.posix_acl_access": aclOf([1, 6], [4, 4], [0x20, 4]) } }),
  fileEntry("linked", "l"),
  hardlinkEntry("linked-too", "linked"),
  directoryEntry("new"),
  opaque("new"),
  whiteout("gone"),
  { kind: "char", path: "null" as ByteString, ...attributes, major: 1, minor: 3 },
  symlinkEntry("s", "d"),
];

async function unpacked(entries: readonly SourceEntry[]) {
  const directory = temporaryDirectory("unpacked");
  const tar = join(directory, "layer.tar");
  const tree = await writeLayer(entries, tar, { sync: false, ignoreMtime: () => false });
  const path = join(directory, "fs");
  await applyLayer(tree, tar, path, { owners: "exact" });
  return { tree, path };
}

describe("an unpacked directory", needs("root"), () => {
  it("is what its layer says, whatever the kernel makes of its ACLs", async () => {
    const { tree, path } = await unpacked(layer);
    expect(await checkDirectory(path, tree, "exact")).toBeUndefined();
    expect(await checkDirectory(path, tree, "flat")).toBeUndefined();
  });

  it("may have what overlay notes for the mount that made it", async () => {
    const { tree, path } = await unpacked(layer);
    const marks = [
      "setfattr -n user.overlay.origin -v 0x00 d/noted",
      "setfattr -n user.overlay.impure -v y d",
      "setfattr -n user.overlay.uuid -v u .",
    ];
    execFileSync("sh", ["-c", marks.join(" && ")], { cwd: path });
    expect(await checkDirectory(path, tree, "exact")).toBeUndefined();
  });

  it.each<[name: string, command: string, expected: string]>([
    [
      "other capabilities",
      `setfattr -n security.capability -v ${sysAdmin} d/capable`,
      'its "d/capable" has another "security.capability" than the layer',
    ],
    [
      "capabilities of a file without any",
      `setfattr -n security.capability -v ${sysAdmin} d/noted`,
      'its "d/noted" has the attribute "security.capability", and the layer has not',
    ],
    ["no capabilities any more", "setfattr -x security.capability d/capable", 'its "d/capable" lacks the attribute "security.capability"'],
    ["another value", "setfattr -n user.note -v ho d/noted", 'its "d/noted" has another "user.note" than the layer'],
    ["an attribute of the root", "setfattr -x user.root .", 'its "" lacks the attribute "user.root"'],
    ["the mode of the root", "chmod 777 .", 'its "" has mode 777, not 711'],
    [
      "an ACL for somebody else",
      "setfattr -n system.posix_acl_access -v 0x0200000001000600ffffffff02000700e903000004000700ffffffff10000400ffffffff20000000ffffffff d/shared",
      'its "d/shared" has another "system.posix_acl_access" than the layer',
    ],
    ["no ACL for new files", "setfattr -x system.posix_acl_default d", 'its "d" lacks the attribute "system.posix_acl_default"'],
    ["a mark that hides what lies below", "setfattr -n user.overlay.opaque -v y d", 'its "d" hides files of lower layers'],
    ["no mark where it is due", "setfattr -x user.overlay.opaque new", 'its "new" lets files of lower layers through'],
    [
      "a mark that shows another directory",
      "setfattr -n user.overlay.redirect -v /etc d",
      'its "d" has the attribute "user.overlay.redirect", and the layer has not',
    ],
    [
      "a mark that removes a file",
      "setfattr -n user.overlay.whiteout -v y d/trivial",
      'its "d/trivial" has the attribute "user.overlay.whiteout", and the layer has not',
    ],
    [
      "another file in the place of a hard link",
      "rm linked-too && echo other >linked-too",
      'its "linked-too" is another file than "linked"',
    ],
    ["another device", "rm null && mknod -m 644 null c 1 5", 'its "null" is the device 1:5, not 1:3'],
    ["a device in the place of a removal", "rm gone && mknod gone c 1 3", 'its "gone" is the device 1:3, not 0:0'],
  ])("is not what its layer says with %s", async (_name, command, expected) => {
    const { tree, path } = await unpacked(layer);
    execFileSync("sh", ["-c", command], { cwd: path });
    expect(await checkDirectory(path, tree, "exact")).toBe(expected);
  });
});
