import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { refuseUnwritableResults, writeResults } from "../../../builder/cli/build-results.ts";
import type { BuiltImage } from "../../../builder/options.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const image = (target: string, n: number): BuiltImage => ({
  target,
  imageId: `sha256:${n}`,
  manifestDigest: `sha256:${n}m`,
  names: [`name${n}:latest`],
  layers: [],
  steps: [],
});

function written(images: readonly BuiltImage[]) {
  const directory = temporaryDirectory("results");
  const files = { iidfile: join(directory, "iid"), "metadata-file": join(directory, "metadata.json") };
  const [first = image("", 0)] = images;
  writeResults(files, { ...first, images, cachedSteps: 0, totalSteps: 0 });
  return { ids: readFileSync(files.iidfile, "utf8"), metadata: JSON.parse(readFileSync(files["metadata-file"], "utf8")) };
}

describe("the files of a build's result", () => {
  const one = { "containerimage.config.digest": "sha256:1", "containerimage.digest": "sha256:1m", "image.name": "name1:latest" };
  const two = { "containerimage.config.digest": "sha256:2", "containerimage.digest": "sha256:2m", "image.name": "name2:latest" };

  it("are as docker buildx writes them for one target", () => {
    expect(written([image("a", 1)])).toEqual({ ids: "sha256:1", metadata: one });
  });

  it("have the digest of an index, as docker buildx writes them for several platforms", () => {
    const { "containerimage.config.digest": _, ...index } = one;
    expect(written([{ ...image("a", 1), platforms: [] }])).toEqual({ ids: "sha256:1", metadata: index });
  });

  it("have neither a manifest nor a name of what is files alone", () => {
    const { manifestDigest: _, ...files } = image("a", 1);
    expect(written([{ ...files, names: [] }])).toEqual({ ids: "sha256:1", metadata: { "containerimage.config.digest": "sha256:1" } });
  });

  it("have every target where there are several", () => {
    expect(written([image("a", 1), image("b", 2)])).toEqual({ ids: "sha256:1\nsha256:2", metadata: { a: one, b: two } });
  });

  it("are refused beforehand where they cannot be written", () => {
    const directory = temporaryDirectory("results");
    mkdirSync(join(directory, "d"));
    expect(() => refuseUnwritableResults({ iidfile: join(directory, "d") })).toThrow(/reading --iidfile: .*\/d is a directory/);
    expect(() => refuseUnwritableResults({ "metadata-file": join(directory, "none/x") })).toThrow(
      /reading --metadata-file: .* cannot be written/,
    );
    refuseUnwritableResults({ iidfile: join(directory, "new") });
  });
});
