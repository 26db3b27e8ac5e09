import { describe, expect, it } from "vitest";
import { digestOf } from "../../../store/digest.ts";
import { type Descriptor, mediaTypes } from "../../../store/oci.ts";
import { contentOfPlaces } from "../../../store/registry/blob-content.ts";
import { type ImageReader, platformGraph, readGraph, sparseGraph } from "../../../store/registry/image-graph.ts";
import { repositoryReader } from "../../../store/registry/image-readers.ts";
import { RegistryError } from "../../../store/registry/registry-error.ts";
import { type MemoryRepository, memoryRepository } from "./memory-repository.ts";
import { allOf, failureOf } from "./test-repository.ts";

const platform = { os: "linux", architecture: "amd64" };
const config = { mediaType: mediaTypes.config, digest: digestOf("config"), size: 6 };

function manifestIn(repository: MemoryRepository, text: string): Descriptor {
  const layer = { mediaType: mediaTypes.layerGzip, digest: digestOf(text), size: text.length };
  return { ...repository.putDocument(mediaTypes.manifest, { config, layers: [layer] }), platform };
}

/** Indexes in indexes, the innermost of which lists a manifest. */
function nested(repository: MemoryRepository, depth: number): Descriptor {
  let inner = manifestIn(repository, "layer");
  for (let level = 0; level < depth; level++) inner = repository.putDocument(mediaTypes.index, { manifests: [inner] });
  return inner;
}

async function read(reader: ImageReader, descriptor: Descriptor) {
  return readGraph(reader, (await reader.manifest(descriptor)) ?? expect.fail("no such manifest"));
}

describe("all manifests of an image", () => {
  it("come each behind what it lists, and once", async () => {
    const repository = memoryRepository();
    const [one, two] = [manifestIn(repository, "1"), manifestIn(repository, "2")];
    const inner = repository.putDocument(mediaTypes.index, { manifests: [one, two] });
    const root = repository.putDocument(mediaTypes.index, { manifests: [two, inner, one] });
    const graph = await read(repositoryReader(repository), root);
    expect(graph.documents.map(({ descriptor }) => descriptor.digest)).toEqual([two, one, inner, root].map(({ digest }) => digest));
    expect(graph.blobs.map(({ digest }) => digest)).toEqual([digestOf("2"), config.digest, digestOf("1")]);
  });

  it("may be nested as deep as any tool nests them", async () => {
    const repository = memoryRepository();
    expect((await read(repositoryReader(repository), nested(repository, 3))).documents).toHaveLength(4);
    const deep = nested(repository, 4);
    expect(await failureOf(read(repositoryReader(repository), deep))).toMatchObject({
      code: "INVALID_DOCUMENT",
      message: `reading the index ${deep.digest}: more than 4 levels of indexes`,
    });
  });

  it("are too many where an index lists thousands", async () => {
    const repository = memoryRepository();
    const root = repository.putDocument(mediaTypes.index, {
      manifests: Array.from({ length: 1001 }, (_, n) => manifestIn(repository, String(n))),
    });
    expect(await failureOf(read(repositoryReader(repository), root))).toMatchObject({ code: "TOO_LARGE" });
  });

  it.each<[name: string, make: (repository: MemoryRepository, one: Descriptor) => Descriptor]>([
    ["a manifest", (_, one) => one],
    ["an index", (repository, one) => repository.putDocument(mediaTypes.index, { manifests: [one] })],
  ])("are not what an entry lies about, an attack: the size of %s", async (_, make) => {
    const repository = memoryRepository();
    const inner = make(repository, manifestIn(repository, "1"));
    const one = repository.manifests.get(inner.digest)?.descriptor ?? inner;
    const lie = repository.putDocument(mediaTypes.index, { manifests: [{ ...one, platform, size: one.size + 1 }] });
    const root = repository.putDocument(mediaTypes.index, { manifests: [inner, lie] });
    for (const reading of [read(repositoryReader(repository), lie), read(repositoryReader(repository), root)]) {
      expect(await failureOf(reading)).toMatchObject({ code: "INTEGRITY", message: expect.stringContaining(`${one.size + 1} bytes`) });
    }
  });

  it("agree on the sizes of layers, or it is an attack", async () => {
    const repository = memoryRepository();
    const layer = { mediaType: mediaTypes.layerGzip, digest: digestOf("1"), size: 2 };
    const liar = repository.putDocument(mediaTypes.manifest, { config, layers: [layer] });
    const root = repository.putDocument(mediaTypes.index, { manifests: [manifestIn(repository, "1"), liar] });
    expect(await failureOf(read(repositoryReader(repository), root))).toMatchObject({
      code: "INTEGRITY",
      message: `reading an image: ${layer.digest}: expected 2 bytes, got 1`,
    });
  });

  it("of one platform are its manifest, with or without the indexes on the way", async () => {
    const repository = memoryRepository();
    const index = nested(repository, 2);
    const reader = repositoryReader(repository);
    const root = (await reader.manifest(index)) ?? expect.fail("no such manifest");
    const only = await platformGraph(reader, root, platform);
    expect(only.documents.map(({ descriptor }) => descriptor.mediaType)).toEqual([mediaTypes.manifest]);
    const sparse = await sparseGraph(reader, root, platform);
    expect(sparse.documents.map(({ descriptor }) => descriptor.mediaType)).toEqual([
      mediaTypes.manifest,
      mediaTypes.index,
      mediaTypes.index,
    ]);
    expect(sparse.documents.at(-1)?.descriptor.digest).toBe(index.digest);
  });
});

describe("a blob that goes from registry to registry", () => {
  const bytes = Buffer.from("0123456789".repeat(500));
  const blob = { mediaType: mediaTypes.layerGzip, digest: digestOf(bytes), size: bytes.length };
  const gone = () => new RegistryError("REGISTRY_UNREACHABLE", "the line is down");
  /** A place that breaks after so many bytes. */
  const breaking = (after: number, error: () => Error = gone) => {
    const repository = memoryRepository();
    repository.intercept = async function* () {
      yield bytes.subarray(0, after);
      throw error();
    };
    return repository;
  };
  const whole = () => {
    const repository = memoryRepository();
    repository.blobs.set(blob.digest, bytes);
    return repository;
  };
  const retries: string[] = [];
  const contentOf = (...places: MemoryRepository[]) => contentOfPlaces(places, blob, (message) => retries.push(message));

  it.each([0, 1, 1024, 1500, bytes.length - 1, bytes.length])("is sent from byte %i on", async (offset) => {
    expect(await allOf(contentOf(whole()).open(offset))).toEqual(bytes.subarray(offset));
  });

  it.each([0, 1, 2000])("goes on from the next place where the first one breaks after %i bytes", async (after) => {
    retries.length = 0;
    expect(await allOf(contentOf(breaking(after), whole()).open(0))).toEqual(bytes);
    expect(await allOf(contentOf(breaking(after), whole()).open(1000))).toEqual(bytes.subarray(1000));
    expect(retries).toEqual(["the line is down", "the line is down"]);
  });

  it("fails as the last place does", async () => {
    const last = new RegistryError("REGISTRY_NOT_FOUND", "it is gone");
    expect(
      await failureOf(
        allOf(
          contentOf(
            breaking(1),
            breaking(2, () => last),
          ).open(0),
        ),
      ),
    ).toBe(last);
  });

  it("is not mended where wrong bytes were sent on already", async () => {
    const wrong = memoryRepository();
    wrong.intercept = async function* () {
      yield Buffer.alloc(bytes.length);
    };
    expect(await failureOf(allOf(contentOf(wrong, whole()).open(0)))).toMatchObject({ code: "INTEGRITY" });
  });
});
