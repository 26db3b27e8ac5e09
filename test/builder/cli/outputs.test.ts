import { describe, expect, it } from "vitest";
import { readOutputs } from "../../../builder/cli/outputs.ts";
import { UsageError } from "../../../builder/cli/usage-error.ts";

const image = { type: "image" };
const registry = { type: "registry" };

describe("--output", () => {
  it("refuses one kind twice with different settings", () => {
    const output = ["type=registry,compression=gzip", "type=registry"];
    expect(() => readOutputs({ output })).toThrow("reading --output: type=registry is given twice, with different settings");
    expect(readOutputs({ output: ["type=registry,name=a", "type=registry,name=b"] })).toEqual({ outputs: [registry], names: ["a", "b"] });
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
    ["oci-mediatypes=false", { output: ["type=registry,oci-mediatypes=false"] }, [{ ...registry, format: "docker" }]],
    ["oci-mediatypes=1", { output: ["type=registry,oci-mediatypes=1"] }, [{ ...registry, format: "oci" }]],
    ["what changes nothing here", { output: ["type=image,unpack=true,store=true,force-compression=false"] }, [image]],
  ])("%s", (_name, flags, outputs, names = []) => {
    expect(readOutputs(flags)).toEqual({ outputs, names });
  });

  const types = "type=image (the store) and type=registry are; tsbuild save writes archives and layouts";
  const keys = "keys: type, name, push, compression, oci-mediatypes";

  it.each<[output: string, code: string, message: string, hint?: string]>([
    ["-", "UNSUPPORTED_VALUE", "reading --output: an archive to standard output is not supported", types],
    ["out", "UNSUPPORTED_VALUE", "reading --output: a directory (out) is not supported", types],
    ["type=local,dest=out", "UNSUPPORTED_VALUE", "reading --output: type=local is not supported", types],
    ["type=regsitry", "UNSUPPORTED_VALUE", "reading --output: type=regsitry is not supported", "did you mean type=registry?"],
    ["dest=out", "UNSUPPORTED_VALUE", "reading --output: an output without type= is not supported", types],
    ["type=image,attestation-inline=1", "UNSUPPORTED_VALUE", "reading --output: attestation-inline= of type=image is not supported", keys],
    ["type=image,pushh=true", "UNSUPPORTED_VALUE", "reading --output: pushh= of type=image is not supported", "did you mean push=?"],
    [
      "type=registry,compression=estargz",
      "UNSUPPORTED_VALUE",
      "reading --output: compression=estargz is not supported",
      "compression=gzip or compression=uncompressed",
    ],
    [
      "type=registry,force-compression=true",
      "UNSUPPORTED_VALUE",
      "reading --output: force-compression= of type=registry is not supported",
      keys,
    ],
    [
      "type=registry,rewrite-timestamp=1",
      "UNSUPPORTED_VALUE",
      "reading --output: rewrite-timestamp= of type=registry is not supported",
      keys,
    ],
    ["type=image,push=maybe", "INVALID_VALUE", 'reading --output: push="maybe" is neither true nor false'],
    ["type=image,push", "INVALID_VALUE", 'reading --output: "push" is not KEY=VALUE', keys],
  ])("refuses %s", (output, code, message, hint) => {
    const error = (() => {
      try {
        return readOutputs({ output: [output] });
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({ code, message, hint });
  });
});
