import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { readMounts } from "../../../builder/cli/mount-flags.ts";
import { thrown } from "./thrown.ts";

describe("mounts of the command line", () => {
  it.each<[text: string, expected: object]>([
    ["type=bind,source=/a,target=/b", { source: "/a", target: "/b", readOnly: false }],
    ["type=bind,src=./a,dst=/b,readonly", { source: resolve("a"), target: "/b", readOnly: true }],
    ['type=bind,"source=/a,b",destination=/b,ro=false', { source: "/a,b", target: "/b", readOnly: false }],
    ["type=bind,source=/a,target=/b,bind-nonrecursive", { source: "/a", target: "/b", readOnly: false, recursive: false }],
    ["type=bind,source=/a,target=/b,bind-recursive=disabled", { source: "/a", target: "/b", readOnly: false, recursive: false }],
  ])("--mount %s shows what is on the host", (text, volume) => {
    expect(readMounts([text], [])).toEqual({ volumes: [volume], tmpfs: [] });
  });

  it.each<[text: string, expected: object]>([
    ["type=tmpfs,target=/t", { target: "/t", noExec: true }],
    [
      "type=tmpfs,target=/t,tmpfs-size=64m,tmpfs-mode=700,ro",
      { target: "/t", sizeBytes: 67108864, mode: 0o700, readOnly: true, noExec: true },
    ],
    ["type=tmpfs,target=/t,tmpfs-size=0", { target: "/t", noExec: true }],
  ])("--mount %s is memory", (text, mount) => {
    expect(readMounts([text], [])).toEqual({ volumes: [], tmpfs: [mount] });
  });

  it.each<[text: string, expected: object]>([
    ["/run", { target: "/run", noExec: true }],
    ["/run:", { target: "/run", noExec: true }],
    ["/run:rw,exec,nosuid,size=1k", { target: "/run", sizeBytes: 1024 }],
    ["/run:ro,mode=0755,uid=5,gid=6", { target: "/run", mode: 0o755, uid: 5, gid: 6, readOnly: true, noExec: true }],
  ])("--tmpfs %s", (text, mount) => {
    if (text.endsWith(":")) expect(thrown(() => readMounts([], [text]))).toMatchObject({ code: "INVALID_VALUE" });
    else expect(readMounts([], [text])).toEqual({ volumes: [], tmpfs: [mount] });
  });

  it.each<[mounts: string[], tmpfs: string[], code: string, message: string]>([
    [["source=a,target=/a"], [], "UNSUPPORTED_VALUE", 'reading --mount: "source=a,target=/a" has no type'],
    [["type=volume,target=/a"], [], "UNSUPPORTED_VALUE", 'reading --mount: "type=volume,target=/a" has the type volume'],
    [["type=bind,target=/a"], [], "INVALID_VALUE", 'reading --mount: "type=bind,target=/a" has no source'],
    [["type=bind,source=/a"], [], "INVALID_VALUE", 'reading --mount: "type=bind,source=/a" has no absolute path in the container'],
    [
      ["type=tmpfs,target=/a,source=/b"],
      [],
      "INVALID_VALUE",
      'reading --mount: "type=tmpfs,target=/a,source=/b" has an option that type=tmpfs does not: source',
    ],
    [
      ["type=tmpfs,target=/a,constructor=1"],
      [],
      "INVALID_VALUE",
      'reading --mount: "type=tmpfs,target=/a,constructor=1" has the option "constructor", which is not known',
    ],
    [["type=tmpfs,target=/a,dst=/b"], [], "INVALID_VALUE", 'reading --mount: "type=tmpfs,target=/a,dst=/b" names dst twice'],
    [
      ["type=bind,source=/a,target=/b,bind-propagation=rshared"],
      [],
      "INVALID_VALUE",
      'reading --mount: "type=bind,source=/a,target=/b,bind-propagation=rshared" shares mounts with the host, which no container may',
    ],
    [
      ["type=tmpfs,target=/proc/sys"],
      [],
      "INVALID_VALUE",
      `reading --mount: "type=tmpfs,target=/proc/sys" would cover /proc, which is the sandbox's own`,
    ],
    [[], ["/a:suid"], "INVALID_VALUE", 'reading --tmpfs: "/a:suid" has the option "suid", which is not known'],
    [[], ["/a:mode=9"], "INVALID_VALUE", 'reading --tmpfs: "/a:mode=9" has the mode "9", which is not octal'],
    [[], ["/a:uid=root"], "INVALID_VALUE", 'reading --tmpfs: "/a:uid=root" has the owner "root", which is no number of one'],
    [[], ["a"], "INVALID_VALUE", 'reading --tmpfs: "a" has no absolute path in the container'],
  ])("%j %j is refused", (mounts, tmpfs, code, message) => {
    expect(thrown(() => readMounts(mounts, tmpfs))).toMatchObject({ code, message });
  });
});
