import { describe, expect, it } from "vitest";
import { layoutName, parseLayoutName } from "../../../builder/context/layout-name.ts";
import { layoutsOf, planContexts } from "../../../builder/context/named-context.ts";
import { digestOf } from "../../../store/digest.ts";

const digest = digestOf("x");

it("tells the plan what contexts are, and the finder which layouts may be read", () => {
  const named = {
    src: { kind: "directory", path: "../src" },
    repo: { kind: "git", url: "https://host/x.git" },
    data: { kind: "http", url: "https://host/x.tar" },
    debian: { kind: "image", image: "debian:13" },
    none: { kind: "image", image: "scratch" },
    base: { kind: "oci-layout", path: "/images/app", name: "v1" },
    again: { kind: "stage", stage: "build" },
  } as const;
  expect(planContexts(named)).toEqual({
    src: { kind: "files" },
    repo: { kind: "files" },
    data: { kind: "files" },
    debian: { kind: "image", image: "debian:13" },
    none: { kind: "files" },
    base: { kind: "image", image: "oci-layout:///images/app:v1" },
    again: { kind: "stage", stage: "build" },
  });
  expect([...layoutsOf(named)]).toEqual(["oci-layout:///images/app:v1"]);
});

describe("the name of a layout's image", () => {
  it.each<[path: string, name: string | undefined, written: string, parsed: object]>([
    ["/images/app", undefined, "oci-layout:///images/app", { directory: "/images/app" }],
    ["/images/app/", "v1", "oci-layout:///images/app:v1", { directory: "/images/app", tag: "v1" }],
    ["/images/app", `@${digest}`, `oci-layout:///images/app@${digest}`, { directory: "/images/app", digest }],
    ["/images/app", `v1@${digest}`, `oci-layout:///images/app:v1@${digest}`, { directory: "/images/app", tag: "v1", digest }],
    ["/images/app", "host:5000/app:v1", "oci-layout:///images/app:host:5000/app:v1", { directory: "/images/app", tag: "host:5000/app:v1" }],
    ["/a:b@c%d", "v1", "oci-layout:///a%3Ab%40c%25d:v1", { directory: "/a:b@c%d", tag: "v1" }],
    ["/a%3Ab", undefined, "oci-layout:///a%253Ab", { directory: "/a%3Ab" }],
  ])("says all of %s %s", (path, name, written, parsed) => {
    expect(layoutName(path, name)).toBe(written);
    expect(parseLayoutName(written)).toEqual(parsed);
  });

  it("is absolute", () => {
    expect(layoutName("images", "v1")).toBe(`oci-layout://${process.cwd()}/images:v1`);
  });

  it("has a digest, if any, that is one", () => {
    expect(() => parseLayoutName("oci-layout:///a@md5:1")).toThrow(
      'reading the image name "oci-layout:///a@md5:1": "md5:1" is not sha256:',
    );
  });
});
