import { describe, expect, it } from "vitest";
import { challengedScopes, coversScopes, mergeScopes, scopeTexts } from "../../../store/registry/scope.ts";

describe("scopes", () => {
  it("are one text for each repository, in the order of their names' first use", () => {
    const scopes = scopeTexts([
      { repository: "b/app", actions: ["push", "pull"] },
      { repository: "a", actions: ["pull"] },
      { repository: "b/app", actions: ["delete"] },
    ]);
    expect(scopes).toEqual(["repository:b/app:delete,pull,push", "repository:a:pull"]);
  });

  it.each<[name: string, scope: string | undefined, expected: string[]]>([
    ["nothing", undefined, []],
    ["several", "repository:a:pull repository:b:pull,push", ["repository:a:pull", "repository:b:pull,push"]],
    ["the catalogue", "registry:catalog:*", ["registry:catalog:*"]],
    ["a name with a port", "repository:host:5000/app:pull", ["repository:host:5000/app:pull"]],
    ["one word", "aws", ["aws"]],
    ["what no URL shall hold", "repository:a:pull repository:\u0000b:pull", ["repository:a:pull"]],
  ])("of a challenge: %s", (_name, scope, expected) => {
    expect(challengedScopes(scope)).toEqual(expected);
  });

  it("are merged", () => {
    expect(mergeScopes(["repository:a:pull"], ["repository:b:pull", "repository:a:push"])).toEqual([
      "repository:a:pull,push",
      "repository:b:pull",
    ]);
  });

  it.each<[wide: string[], narrow: string[], covers: boolean]>([
    [["repository:a:pull,push"], ["repository:a:pull"], true],
    [["repository:a:pull"], ["repository:a:pull,push"], false],
    [["repository:a:pull", "repository:b:pull"], ["repository:b:pull"], true],
    [["repository:a:pull"], ["repository:b:pull"], false],
    [["registry:catalog:*"], [], true],
    [[], ["aws"], false],
  ])("%j covers %j: %s", (wide, narrow, covers) => {
    expect(coversScopes(wide, narrow)).toBe(covers);
  });
});
