import { describe, expect, it } from "vitest";
import { readPlacedAnnotations } from "../../../builder/cli/placed-annotations.ts";
import type { PlacedAnnotation } from "../../../store/registry/placed-annotations.ts";

const arm = { os: "linux", architecture: "arm64" };

describe("--annotation with levels", () => {
  it.each<[text: string, places: readonly Omit<PlacedAnnotation, "key" | "value">[]]>([
    ["a.b=x:y=z", [{ level: "manifest" }]],
    ["manifest:a.b=x:y=z", [{ level: "manifest" }]],
    ["index:a.b=x:y=z", [{ level: "index" }]],
    ["manifest-descriptor:a.b=x:y=z", [{ level: "manifest-descriptor" }]],
    ["index,manifest:a.b=x:y=z", [{ level: "index" }, { level: "manifest" }]],
    ["manifest[linux/arm64],index:a.b=x:y=z", [{ level: "manifest", platform: arm }, { level: "index" }]],
  ])("%s", (text, places) => {
    expect(readPlacedAnnotations([text])).toEqual(places.map((place) => ({ ...place, key: "a.b", value: "x:y=z" })));
  });

  it("takes a colon for a part of the key where no level stands before it", () => {
    expect(readPlacedAnnotations(["urn:x=1"])).toEqual([{ level: "manifest", key: "urn:x", value: "1" }]);
  });

  it.each<[text: string, code: string, message: string]>([
    [
      "index-descriptor:a=b",
      "UNSUPPORTED_VALUE",
      'reading --annotation: "index-descriptor:a=b": a registry has no list that could say anything of the index',
    ],
    ["index[linux/arm64]:a=b", "INVALID_VALUE", 'reading --annotation: "index[linux/arm64]:a=b": the index is for all platforms'],
    ["manifest[linux/]:a=b", "INVALID_VALUE", 'reading --annotation: "linux/" is not OS/ARCHITECTURE'],
    ["index:a", "INVALID_VALUE", 'reading --annotation: "a" is not KEY=VALUE'],
  ])("%s is refused", (text, code, message) => {
    expect(() => readPlacedAnnotations([text])).toThrow(expect.objectContaining({ code, message }));
  });
});
