import { describe, expect, it } from "vitest";
import { lockedImageName, lockedUrl } from "../../../builder/lock/locked-names.ts";

describe("images in a lock file", () => {
  it.each<[name: string, locked: string]>([
    ["debian", "docker.io/library/debian:latest"],
    ["docker.io/library/debian:latest", "docker.io/library/debian:latest"],
    ["registry.example:5000/team/app:v1", "registry.example:5000/team/app:v1"],
    [`debian@sha256:${"1".repeat(64)}`, `docker.io/library/debian@sha256:${"1".repeat(64)}`],
    [`debian:12@sha256:${"1".repeat(64)}`, `docker.io/library/debian:12@sha256:${"1".repeat(64)}`],
    [`sha256:${"2".repeat(64)}`, `sha256:${"2".repeat(64)}`],
    ["2".repeat(64), `sha256:${"2".repeat(64)}`],
    ["oci-layout:///work/app/images/base:v1", "oci-layout://images/base:v1"],
    ["oci-layout:///work/images:v1", "oci-layout://../images:v1"],
  ])("%s", (name, locked) => {
    expect(lockedImageName(name, "/work/app")).toBe(locked);
  });
});

describe("URLs in a lock file", () => {
  it.each<[name: string, url: string, locked: string]>([
    ["as they are", "https://host/a/tool.tgz", "https://host/a/tool.tgz"],
    ["normal", "HTTPS://HOST:443/a b", "https://host/a%20b"],
    ["without user and password", "https://user:secret@host/x", "https://host/x"],
    ["without fragment", "https://host/x#part", "https://host/x"],
    ["with a digest for a query that may be a secret", "https://host/x?token=secret", "https://host/x?sha256:f3ac97547a318f4d"],
  ])("%s", (_name, url, locked) => {
    expect(lockedUrl(url)).toBe(locked);
  });

  it("tell two queries apart", () => {
    expect(lockedUrl("https://host/x?v=1")).not.toBe(lockedUrl("https://host/x?v=2"));
  });
});
