import { describe, expect, it } from "vitest";
import { readCopyPlace } from "../../../builder/cli/copy-place.ts";
import { parseReference } from "../../../store/reference.ts";
import type { CopyPlace } from "../../../store/registry/copy.ts";

const registry = (name: string): CopyPlace => ({ kind: "registry", reference: parseReference(name) });

describe("a place of a copy", () => {
  it.each<[text: string, place: CopyPlace]>([
    ["debian", registry("debian")],
    ["host:5000/app:v1", registry("host:5000/app:v1")],
    ["docker://host:5000/app:v1", registry("host:5000/app:v1")],
    ["docker://store:v1", registry("store:v1")],
    ["store:app:v1", { kind: "store", name: "app:v1" }],
    ["oci:dir", { kind: "oci", directory: "dir", name: undefined }],
    ["oci:/a/b:v1", { kind: "oci", directory: "/a/b", name: "v1" }],
    ["oci:dir:host:5000/app:v1", { kind: "oci", directory: "dir", name: "host:5000/app:v1" }],
    ["oci-archive:a.tar", { kind: "oci-archive", file: "a.tar", name: undefined }],
    ["oci-archive:a.tar:app:v1", { kind: "oci-archive", file: "a.tar", name: "app:v1" }],
    ["docker-archive:a.tar", { kind: "docker-archive", file: "a.tar", name: undefined }],
    ["docker-archive:a.tar:app:v1", { kind: "docker-archive", file: "a.tar", name: "app:v1" }],
  ])("%s", (text, place) => {
    expect(readCopyPlace(text)).toEqual(place);
  });

  it.each<[text: string, code: string, message: string]>([
    ["store:", "MISSING_VALUE", 'reading "store:": nothing stands behind the colon'],
    ["oci:", "MISSING_VALUE", 'reading "oci:": nothing stands behind the colon'],
    ["oci-archive::x", "MISSING_VALUE", 'reading "oci-archive::x": nothing stands behind the colon'],
    ["docker-daemon:app:v1", "UNSUPPORTED_VALUE", 'reading "docker-daemon:app:v1": images cannot be copied from or to there'],
    ["docker-archive::app", "MISSING_VALUE", 'reading "docker-archive::app": nothing stands behind the colon'],
    ["docker://", "INVALID_REFERENCE", 'reading the image name "": it is empty'],
  ])("%s is refused", (text, code, message) => {
    expect(() => readCopyPlace(text)).toThrow(expect.objectContaining({ code, message }));
  });
});
