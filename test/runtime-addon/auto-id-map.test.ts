import { expect, it } from "vitest";
import { planAutoMap } from "../../runtime-addon/index.ts";

it.each<[string, string, number]>([
  ["nobody's", "", 2_000_000_000],
  ["tsbuild's", "ann:1:65536\ntsbuild:300000:65536\ntsbuild:500000:65536\n", 300_000],
  ["tsbuild's first that is large enough", "tsbuild:1000:10\ntsbuild:500000:70000\n", 500_000],
])("the ids of a sandbox that root maps are %s", (_name, text, first) => {
  const range = [{ inside: 0, outside: first, count: 65_536 }];
  expect(planAutoMap(text, text)).toEqual({ kind: "ranges", uid: range, gid: range, writers: undefined });
});
