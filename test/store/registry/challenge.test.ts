import { describe, expect, it } from "vitest";
import { parseChallenges } from "../../../store/registry/challenge.ts";

const bearer = { scheme: "bearer", realm: "https://auth.example/token" };
const basic = { scheme: "basic", realm: "registry" };

describe("challenges", () => {
  it.each<[name: string, values: string[], expected: object[]]>([
    ["none", [], []],
    ["an empty value", [""], []],
    ["Basic", ['Basic realm="registry"'], [basic]],
    ["Basic without a realm", ["Basic"], [{ scheme: "basic" }]],
    [
      "Bearer with all of it",
      [
        'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push repository:c:pull",error="invalid_token"',
      ],
      [{ ...bearer, service: "registry.example", scope: "repository:a/b:pull,push repository:c:pull", error: "invalid_token" }],
    ],
    ["schemes and names in any case", ['bEARER REALM="https://auth.example/token",Service="s"'], [{ ...bearer, service: "s" }]],
    ["blanks wherever they may be", ['  Bearer   realm = "https://auth.example/token" ,\t service="s" , '], [{ ...bearer, service: "s" }]],
    ["several in one value", ['Basic realm="registry", Bearer realm="https://auth.example/token"'], [basic, bearer]],
    ["several values", ['Bearer realm="https://auth.example/token"', 'Basic realm="registry"'], [bearer, basic]],
    ["an unknown scheme between", ['Digest realm="x", qop="auth, auth-int", Basic realm="registry"'], [basic]],
    ["token68 between", ["Negotiate YWJj/+-._~==, Basic realm=registry"], [basic]],
    ["token68 that looks like a name", ['Negotiate abc, Bearer realm="https://auth.example/token"'], [bearer]],
    ["escapes", ['Basic realm="a \\"b\\" \\\\ c"'], [{ scheme: "basic", realm: 'a "b" \\ c' }]],
    ["a comma and a scheme in quotes", ['Basic realm="a, Bearer realm=b"'], [{ scheme: "basic", realm: "a, Bearer realm=b" }]],
    ["values without quotes", ["Bearer realm=https://auth.example/token,service=s"], [{ ...bearer, service: "s" }]],
    ["no commas between", ['Bearer realm="https://auth.example/token" service="s"'], [{ ...bearer, service: "s" }]],
    ["a name twice: the first counts", ['Basic realm="registry", realm="other"'], [basic]],
    ["names that objects have", ['Basic __proto__="x", constructor="y", realm="registry"'], [basic]],
    ["Bearer without a realm", ['Bearer service="s", Basic realm="registry"'], [basic]],
    ["empty elements", [', ,Basic realm="registry",,'], [basic]],
  ])("%s", (_name, values, expected) => {
    expect(parseChallenges(values)).toEqual(expected);
  });

  it.each<[name: string, value: string, expected: object[]]>([
    ["a quote that never ends", 'Basic realm="registry", Bearer realm="https://auth', [basic]],
    ["a quote that ends in a backslash", 'Basic realm="registry", Bearer realm="x\\', [basic]],
    ["a value that is missing", 'Basic realm="registry", Bearer realm=', [basic]],
    ["no scheme", 'realm="x"', []],
    ["bytes that no token holds", 'Basic realm="registry", \x00\xff Bearer realm="x"', [basic]],
  ])("attack: %s", (_name, value, expected) => {
    expect(parseChallenges([value])).toEqual(expected);
  });

  it.each<[name: string, part: string]>([
    ["quotes that never end", '"'],
    ["backslashes", "\\"],
    ["blanks", " "],
    ["words", "a "],
    ["one word", "a"],
    ["names without values", "a="],
    ["open quotes in a row", 'a="'],
    ["commas", ","],
    ["token68 without an end", "a+/"],
  ])("attack: a megabyte of %s takes no time", (_name, part) => {
    const value = `Bearer realm="${part.repeat(Math.ceil(2 ** 20 / part.length))}`;
    const begin = performance.now();
    parseChallenges([value, `Basic ${value.slice(14)}`]);
    expect(performance.now() - begin).toBeLessThan(200);
  });
});
