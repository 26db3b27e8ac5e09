import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { readOutputs } from "../../../builder/cli/outputs.ts";
import { UsageError } from "../../../builder/cli/usage-error.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const image = { type: "image" };
const registry = { type: "registry" };

const stream = new PassThrough();
const ioOf = (isTTY: boolean) => ({ stdout: { write: () => undefined, isTTY }, stream: () => stream });
const io = ioOf(false);

describe("--output", () => {
  it("refuses one kind twice with different settings", () => {
    const output = ["type=registry,compression=gzip", "type=registry"];
    expect(() => readOutputs({ output }, io)).toThrow("reading --output: type=registry is given twice, with different settings");
    const same = ["type=registry,name=a", "type=registry,name=b"];
    expect(readOutputs({ output: same }, io)).toEqual({ outputs: [registry], names: ["a", "b"], takesStdout: false });
  });

  it.each<[name: string, flags: Parameters<typeof readOutputs>[0], outputs: readonly object[], names?: readonly string[]]>([
    ["nothing", {}, [image]],
    ["--push alone: the registry only, as docker buildx", { push: true }, [registry]],
    ["--load", { load: true }, [image]],
    ["--push --load", { push: true, load: true }, [registry, image]],
    ["--push=false", { push: false }, [image]],
    ["type=registry", { output: ["type=registry"] }, [registry]],
    ["type=image", { output: ["type=image"] }, [image]],
    ["type=image,push=true", { output: ["type=image,push=true"] }, [image, registry]],
    ["type=image,push=false", { output: ["type=image,push=false"] }, [image]],
    ["several", { output: ["type=image", "type=registry"], push: true }, [image, registry]],
    ["name=", { output: ["type=image,name=a:1"] }, [image], ["a:1"]],
    ["several names in quotes", { output: ['type=image,"name=a:1,b:2"'] }, [image], ["a:1", "b:2"]],
    ["compression=gzip", { output: ["type=registry,compression=gzip"] }, [{ ...registry, compression: "gzip" }]],
    ["compression=uncompressed", { output: ["type=registry,compression=uncompressed"] }, [{ ...registry, compression: "none" }]],
    [
      "compression=zstd",
      { output: ["type=registry,compression=zstd,compression-level=19"] },
      [{ ...registry, compression: "zstd", compressionLevel: 19 }],
    ],
    ["a level of gzip", { output: ["type=image,push=1,compression-level=0"] }, [image, { ...registry, compressionLevel: 0 }]],
    ["force-compression", { output: ["type=registry,force-compression=true"] }, [{ ...registry, forceCompression: true }]],
    [
      "annotation.*",
      { output: ["type=oci,dest=a.tar,annotation.Org.Key=A=b"] },
      [{ type: "oci", to: { file: "a.tar" }, annotations: { "Org.Key": "A=b" } }],
    ],
    ["a path alone", { output: ["out"] }, [{ type: "local", directory: "out" }]],
    ["a path alone with a slash", { output: ["./out/"] }, [{ type: "local", directory: "./out/" }]],
    ["-", { output: ["-"] }, [{ type: "tar", to: { stream } }]],
    ["type=local", { output: ["type=local,dest=out"] }, [{ type: "local", directory: "out" }]],
    ["type=tar", { output: ["type=tar,dest=out.tar"] }, [{ type: "tar", to: { file: "out.tar" } }]],
    ["type=tar without dest, as docker buildx", { output: ["type=tar"] }, [{ type: "tar", to: { stream } }]],
    ["type=oci", { output: ["type=oci,dest=a.tar,compression=gzip"] }, [{ type: "oci", to: { file: "a.tar" }, compression: "gzip" }]],
    ["type=oci to a directory", { output: ["type=oci,dest=a,tar=false"] }, [{ type: "oci", to: { directory: "a" } }]],
    ["type=docker with a name", { output: ["type=docker,dest=-,name=a:1"] }, [{ type: "docker", to: { stream } }], ["a:1"]],
    ["type=cacheonly", { output: ["type=cacheonly"] }, [{ type: "cacheonly" }]],
    [
      "several files",
      { output: ["a", "type=local,dest=b", "a"] },
      [
        { type: "local", directory: "a" },
        { type: "local", directory: "b" },
      ],
    ],
    ["oci-mediatypes=false", { output: ["type=registry,oci-mediatypes=false"] }, [{ ...registry, format: "docker" }]],
    ["oci-mediatypes=1", { output: ["type=registry,oci-mediatypes=1"] }, [{ ...registry, format: "oci" }]],
    ["what changes nothing here", { output: ["type=image,unpack=true,store=true,force-compression=false"] }, [image]],
  ])("%s", (_name, flags, outputs, names = []) => {
    expect(readOutputs(flags, io)).toMatchObject({ outputs, names });
  });

  it("says when nothing else may be printed to standard output", () => {
    expect(readOutputs({ output: ["type=oci"] }, io).takesStdout).toBe(true);
    expect(readOutputs({ output: ["out"] }, io).takesStdout).toBe(false);
  });

  it("writes no archive to a terminal", () => {
    for (const output of ["-", "type=oci", "type=docker,dest=-"])
      expect(() => readOutputs({ output: [output] }, ioOf(true))).toThrow("writing an archive to standard output: it is a terminal");
  });

  it("writes two things nowhere", () => {
    const directory = temporaryDirectory("outputs");
    const twice =
      (...output: string[]) =>
      () =>
        readOutputs({ output }, io);
    expect(twice("-", "type=oci")).toThrow("reading --output: standard output is given twice, with different settings");
    expect(twice("type=tar,dest=a", "type=oci,dest=a")).toThrow("reading --output: the file a is given twice, with different settings");
    expect(twice("a", "type=oci,dest=a,tar=false")).toThrow("reading --output: the directory a is given twice, with different settings");
    mkdirSync(join(directory, "there"));
    expect(twice(`type=tar,dest=${directory}/there`)).toThrow(`reading --output: type=tar: ${directory}/there is a directory`);
  });

  const types = "types: image, registry, oci, docker, tar, local, cacheonly";
  const form = "compression, compression-level, force-compression, oci-mediatypes, annotation.KEY";
  const keys = `keys: type, name, push, ${form}`;

  it.each<[output: string, code: string, message: string, hint?: string]>([
    ["", "INVALID_VALUE", "reading --output: it is empty", types],
    ["type=local", "MISSING_VALUE", "reading --output: type=local needs dest=DIRECTORY"],
    ["type=local,dest=-", "MISSING_VALUE", "reading --output: type=local needs dest=DIRECTORY"],
    ["type=oci,tar=false", "MISSING_VALUE", "reading --output: type=oci needs dest=PATH"],
    ["type=tar,dest=", "MISSING_VALUE", "reading --output: type=tar needs dest=PATH"],
    [
      "type=local,dest=a,compression=gzip",
      "UNSUPPORTED_VALUE",
      "reading --output: compression= of type=local is not supported",
      "keys: type, dest, platform-split",
    ],
    [
      "type=docker,dest=a,tar=false",
      "UNSUPPORTED_VALUE",
      "reading --output: tar= of type=docker is not supported",
      `keys: type, dest, name, ${form}`,
    ],
    ["type=oci,dest=a,compression-level=10", "INVALID_VALUE", 'reading --output: compression-level: "10": gzip has the levels 0 to 9'],
    ["type=docker,dest=a,compression-level=1", "INVALID_VALUE", 'reading --output: compression-level: "1": plain layers have no level'],
    ["type=regsitry", "UNSUPPORTED_VALUE", "reading --output: type=regsitry is not supported", "did you mean type=registry?"],
    ["dest=out", "UNSUPPORTED_VALUE", "reading --output: an output without type= is not supported", types],
    ["type=image,attestation-inline=1", "UNSUPPORTED_VALUE", "reading --output: attestation-inline= of type=image is not supported", keys],
    ["type=image,pushh=true", "UNSUPPORTED_VALUE", "reading --output: pushh= of type=image is not supported", "did you mean push=?"],
    [
      "type=registry,compression=estargz",
      "UNSUPPORTED_VALUE",
      "reading --output: compression=estargz is not supported",
      "compression=gzip, zstd or uncompressed",
    ],
    [
      "type=registry,rewrite-timestamp=1",
      "UNSUPPORTED_VALUE",
      "reading --output: rewrite-timestamp= of type=registry is not supported",
      `keys: type, name, ${form}`,
    ],
    ["type=image,push=maybe", "INVALID_VALUE", 'reading --output: push="maybe" is neither true nor false'],
    ["type=image,push", "INVALID_VALUE", 'reading --output: "push" is not KEY=VALUE', keys],
  ])("refuses %s", (output, code, message, hint) => {
    const error = (() => {
      try {
        return readOutputs({ output: [output] }, io);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({ code, message, hint });
  });
});
