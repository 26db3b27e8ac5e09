import { describe, expect, it } from "vitest";
import { digestOf } from "../../../store/digest.ts";
import { NotFoundError } from "../../../store/errors.ts";
import { mediaTypes } from "../../../store/oci.ts";
import type { ImageReader } from "../../../store/registry/image-graph.ts";
import { namingDestination } from "../../../store/registry/naming-destination.ts";
import { failureOf } from "./test-repository.ts";

const blob = { mediaType: mediaTypes.layer, digest: digestOf("layer"), size: 5 };
const systemError = (code: string, path?: string) =>
  Object.assign(new Error(`${code}: refused`), { code, errno: -1, syscall: "open", ...(path !== undefined && { path }) });

/** A reader whose every call fails. */
const failing = (error: Error): ImageReader => ({
  registry: "",
  name: "",
  label: "source",
  manifest: async () => {
    throw error;
  },
  // biome-ignore lint/correctness/useYield: it fails before anything comes.
  async *download() {
    throw error;
  },
});

describe("what the system refuses at the destination", () => {
  it.each<[name: string, error: Error]>([
    ["at its path", systemError("EACCES", "/out/image.tar")],
    ["beside it", systemError("ENOSPC", "/out/.image.tar.0a")],
    ["without a path", systemError("ENOSPC")],
    ["where a link leads", systemError("EROFS", "/elsewhere")],
  ])("%s names it", async (_name, error) => {
    const work = async () => {
      throw error;
    };
    expect(await failureOf(namingDestination("/out/image.tar", failing(new Error("unused")), work))).toMatchObject({
      code: "WRITE_FAILED",
      message: `copying to /out/image.tar: ${error.message}`,
      cause: error,
    });
  });
});

describe("what fails at the source", () => {
  it.each<[name: string, error: Error]>([
    ["in a directory of a similar name", systemError("EACCES", "/out-of/blobs/x")],
    ["in a directory beside the destination", systemError("EIO", "/out/layout/blobs/x")],
    ["without a path", systemError("EIO")],
    ["with an error of ours", new NotFoundError("reading: it is not there")],
  ])("%s stays as it is", async (_name, error) => {
    const copies: readonly ((reader: ImageReader) => Promise<void>)[] = [
      async (reader) => void (await reader.manifest(blob)),
      async (reader) => {
        for await (const _ of reader.download(blob));
      },
    ];
    for (const work of copies) expect(await failureOf(namingDestination("/out/image.tar", failing(error), work))).toBe(error);
  });
});
