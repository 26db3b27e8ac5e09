import { describe, expect, it } from "vitest";
import { type CopyInputs, joinInputs, requestDigest, requestOf } from "../../../builder/steps/copy-inputs.ts";
import type { SourceNode } from "../../../builder/steps/copy-source.ts";
import type { SourceRoot } from "../../../builder/steps/source-merkles.ts";
import { bytesOf } from "../../../runtime-addon/index.ts";
import { digestOf } from "../../../store/digest.ts";
import { copyOperation } from "./step-context.ts";
import { source } from "./trees.ts";

const rootOf = (name: string): SourceRoot => ({ root: digestOf(name), unnamed: digestOf(`unnamed ${name}`) });

/** Inputs with these sources, and what was said to them. */
function part(names: readonly string[], { known = true }: { readonly known?: boolean } = {}) {
  const saved: (readonly SourceRoot[])[] = [];
  const said: string[] = [];
  const inputs: CopyInputs = {
    knownRoots: async () => (known ? names.map(rootOf) : undefined),
    sources: async () => names.map((name) => source(name)),
    merkles: async (digests) => {
      said.push(`merkles ${digests?.size}`);
      return names.map((name) => ({ ...rootOf(name), nodes: new Map() }));
    },
    saveRoots: async (roots) => void saved.push(roots),
    async reading(work) {
      said.push(`reading ${names}`);
      return work();
    },
  };
  return { inputs, saved, said };
}

describe("joined inputs", () => {
  it("have all sources and roots in their order", async () => {
    const joined = joinInputs([part(["a", "b"]).inputs, part([]).inputs, part(["c"]).inputs]);
    expect((await joined.sources()).map(({ name }) => name)).toEqual(["a", "b", "c"].map(bytesOf));
    expect(await joined.knownRoots()).toEqual(["a", "b", "c"].map(rootOf));
    expect((await joined.merkles()).map(({ root }) => root)).toEqual(["a", "b", "c"].map((name) => rootOf(name).root));
  });

  it("know no roots where one part knows none", async () => {
    expect(await joinInputs([part(["a"]).inputs, part(["b"], { known: false }).inputs]).knownRoots()).toBeUndefined();
  });

  it("hand each part its own roots", async () => {
    const parts = [part(["a", "b"]), part([]), part(["c"])];
    const joined = joinInputs(parts.map(({ inputs }) => inputs));
    await joined.saveRoots(await joined.merkles(new Map<SourceNode, never>()));
    expect(parts.map(({ saved }) => saved.map((roots) => roots.map(({ root }) => root)))).toEqual([
      [[rootOf("a").root, rootOf("b").root]],
      [[]],
      [[rootOf("c").root]],
    ]);
    expect(parts.map(({ said }) => said)).toEqual([["merkles 0"], ["merkles 0"], ["merkles 0"]]);
  });

  it("read under the eyes of every part", async () => {
    const parts = [part(["a"]), part(["b"])];
    const joined = joinInputs(parts.map(({ inputs }) => inputs));
    expect(await joined.reading(async () => 7)).toBe(7);
    expect(parts.flatMap(({ said }) => said)).toEqual(["reading a", "reading b"]);
  });

  it("of one part are that part's", () => {
    const { inputs } = part(["a"]);
    expect(joinInputs([inputs])).toBe(inputs);
  });

  it("of no part are known to be none", async () => {
    const none = joinInputs([]);
    expect([await none.knownRoots(), await none.sources(), await none.merkles(), await none.reading(async () => 1)]).toEqual([
      [],
      [],
      [],
      1,
    ]);
  });
});

describe("a request", () => {
  it("is what the instruction says of paths", () => {
    const operation = copyOperation({ sources: ["a", "b"], parents: true, exclude: ["c"], chmod: "644" });
    expect(requestOf(operation, ["b"])).toEqual({
      paths: ["b"],
      parents: true,
      exclude: ["c"],
      irrelevant: { ignoreModes: true, ignoreOwners: false },
    });
  });

  it("knows how a source was written that would lead out", () => {
    const operation = copyOperation({ words: [{ kind: "path", path: "b", written: "../b" }] });
    const request = requestOf(operation, ["b"]);
    expect(request.written).toEqual(new Map([["b", "../b"]]));
    expect(requestDigest(request, "o")).toBe(requestDigest(requestOf(copyOperation(), ["b"]), "o"));
  });

  it("has a digest of its own, whatever the order of its properties", () => {
    const request = requestOf(copyOperation(), ["a"]);
    const { paths, ...rest } = request;
    expect(requestDigest({ ...rest, paths }, "o")).toBe(requestDigest(request, "o"));
    const others = [
      requestDigest({ ...request, paths: ["b"] }, "o"),
      requestDigest({ ...request, paths: ["a", ""] }, "o"),
      requestDigest({ ...request, parents: true }, "o"),
      requestDigest({ ...request, exclude: ["x"] }, "o"),
      requestDigest({ ...request, irrelevant: { ignoreModes: true, ignoreOwners: false } }, "o"),
      requestDigest({ ...request, irrelevant: { ignoreModes: false, ignoreOwners: true } }, "o"),
      requestDigest(request, "p"),
      requestDigest(request, "o"),
    ];
    expect(new Set(others).size).toBe(others.length);
  });
});
