import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { makeSkeleton } from "../../../builder/sandbox/skeleton.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { listing } from "../../support/tree.ts";

const umask = process.umask();
afterAll(() => {
  process.umask(umask);
});

describe("the skeleton of a container", () => {
  const lines = async (...extra: [{ directories: string[]; files: string[] }?]) => {
    const root = join(temporaryDirectory("skeleton"), "s");
    await makeSkeleton(root, ...(extra as [{ directories: string[]; files: string[] }]));
    return listing(root, { times: false, owners: false }).map((line) => line.split(" ").slice(0, 3).join(" "));
  };
  const standard = ["dev d 755", "etc d 755", "etc/hosts f 644", "etc/resolv.conf f 644", "proc d 755", "sys d 755"];

  it.each([0o022, 0o077, 0])("is the same under umask %s", async (mask) => {
    process.umask(mask);
    expect(await lines()).toEqual(standard);
  });

  it("has mount points with all that is above them", async () => {
    process.umask(0o077);
    expect(await lines({ directories: ["/work/deep/", "/"], files: ["/etc/app/conf", "/top"] })).toEqual(
      [...standard, "etc/app d 755", "etc/app/conf f 644", "top f 644", "work d 755", "work/deep d 755"].sort(),
    );
  });

  it("stays in its directory when an image's working directory climbs out of it", async () => {
    expect(await lines({ directories: ["/../../../up/./a/../b"], files: ["/../top"] })).toEqual(
      [...standard, "top f 644", "up d 755", "up/b d 755"].sort(),
    );
  });

  it("is dated alike on every machine", async () => {
    const root = join(temporaryDirectory("skeleton"), "s");
    await makeSkeleton(root, { directories: ["/a/b"], files: [] });
    expect(listing(root, { owners: false }).every((line) => / 315619200\.0+(?: |$)/.test(line))).toBe(true);
  });

  it("must not exist before", async () => {
    await expect(makeSkeleton(temporaryDirectory("skeleton"))).rejects.toMatchObject({ code: "EEXIST" });
  });
});
