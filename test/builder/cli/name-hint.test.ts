import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { explainingNames, hubHint, type NameHint, placeHint } from "../../../builder/cli/name-hint.ts";
import { TsbuildError } from "../../../runtime-addon/index.ts";
import { digestOf } from "../../../store/digest.ts";
import { RegistryError } from "../../../store/registry/registry-error.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const explained = (names: readonly string[], error: unknown, hintFor: NameHint = hubHint): Promise<unknown> =>
  explainingNames(names, hintFor, () => Promise.reject(error)).catch((thrown: unknown) => thrown);

describe("a name without a host", () => {
  it.each([
    ["app", "app is docker.io/library/app; with another registry: HOST/app"],
    ["me/app:v1", "me/app:v1 is docker.io/me/app:v1; with another registry: HOST/me/app:v1"],
    ["library/app", "library/app is docker.io/library/app; with another registry: HOST/library/app"],
    [
      `app@${digestOf("x")}`,
      `app@${digestOf("x")} is docker.io/library/app@${digestOf("x")}; with another registry: HOST/app@${digestOf("x")}`,
    ],
    ["docker.io/app", undefined],
    ["index.docker.io/app", undefined],
    ["ghcr.io/me/app", undefined],
    ["localhost/app", undefined],
  ])("%s", (name, hint) => {
    expect(hubHint(name)).toBe(hint);
  });
});

describe("a failure", () => {
  const hub = "reading manifest docker.io/library/b:latest: registry-1.docker.io: the name does not resolve (ENOTFOUND)";

  it.each<[name: string, names: readonly string[], code: RegistryError["code"], message: string, hint: string | undefined]>([
    [
      "of Docker Hub's, by its name",
      ["a", "b"],
      "REGISTRY_UNREACHABLE",
      hub,
      "own; b is docker.io/library/b; with another registry: HOST/b",
    ],
    [
      "of Docker Hub's token server",
      ["host:5000/x", "b"],
      "REGISTRY_DENIED",
      "authenticating at docker.io: no",
      "own; b is docker.io/library/b; with another registry: HOST/b",
    ],
    ["of another registry's", ["host:5000/x", "b"], "REGISTRY_DENIED", "pushing to host:5000/x: no", "own"],
    ["of Docker Hub's, meant so", ["docker.io/b"], "REGISTRY_UNREACHABLE", hub, "own"],
    ["that the name is not to blame for", ["b"], "REGISTRY_PROTOCOL", hub, "own"],
  ])("%s", async (_name, names, code, message, hint) => {
    const cause = new Error("below");
    const error = new RegistryError(code, message, { hint: "own", status: 401, cause });
    expect(await explained(names, error)).toMatchObject({ code, message, hint, status: 401, cause });
  });

  it("that has no hint yet gets one, others stay as they are", async () => {
    expect(await explained(["b"], new RegistryError("REGISTRY_NOT_FOUND", hub))).toMatchObject({
      hint: "b is docker.io/library/b; with another registry: HOST/b",
    });
    const other = new TsbuildError("NOT_FOUND", hub);
    expect(await explained(["b"], other)).toBe(other);
    expect(await explainingNames(["b"], hubHint, async () => 7)).toBe(7);
  });

  it("of a place that is a path says how paths are written", async () => {
    const root = temporaryDirectory("names");
    writeFileSync(join(root, "a.tar"), "");
    mkdirSync(join(root, "dir"));
    const invalid = (name: string) => new TsbuildError("INVALID_REFERENCE", `reading the image name "${name}": no`);
    for (const [place, hint] of [
      [`${root}/a.tar`, `for the file write oci-archive:${root}/a.tar`],
      [`${root}/a.tar:v1`, `for the file write oci-archive:${root}/a.tar:v1`],
      [`${root}/dir`, `for the directory write oci:${root}/dir`],
      [`${root}/none`, undefined],
      [`${root}/a.tar/none`, undefined],
    ] as const) {
      expect(await explained(["b", place], invalid(place), placeHint)).toMatchObject({ hint });
    }
    expect(placeHint("package.json")).toBe("for the file write oci-archive:package.json");
    expect(placeHint("no-such-file")).toBe(hubHint("no-such-file"));
  });
});
