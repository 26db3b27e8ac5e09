import { NotFoundError } from "../../store/errors.ts";
import { imageContent, layersSize } from "../../store/image-content.ts";
import type { Image } from "../../store/images.ts";
import { isIndexType, maxManifestBytes, parseIndex } from "../../store/oci-parse.ts";
import { platformText } from "../../store/platform.ts";
import type { Store } from "../../store/store.ts";
import { harmlessJson } from "../../store/unseen.ts";
import { harmless } from "../progress/terminal-text.ts";
import { command } from "./command.ts";
import { formatJson } from "./format-flag.ts";
import { jsonField } from "./json-field.ts";
import { withStore } from "./open-store.ts";
import { platformFlags, platformOfFlag } from "./platform-flag.ts";
import { storeFlags } from "./store-flag.ts";

export const inspect = command(
  {
    name: "inspect",
    operands: "IMAGE",
    summary: "Show all about an image as a JSON object: names, ids, platforms, configuration, layers, history and annotations.",
    flags: {
      field: { value: "NAME", help: "Print one field only: a text as it is, all else as JSON (config.Env, layers.0.digest)" },
      format: {
        short: "f",
        value: "FORMAT",
        choices: ["json"],
        choiceHint: "there are no templates: --field imageId and --field config.Env print one field",
        help: "How to print (json)",
      },
      ...platformFlags,
      raw: {
        value: "DOCUMENT",
        choices: ["index", "manifest", "config"],
        implied: "manifest",
        help: "Print a document of the image as it is stored (manifest)",
      },
      ...storeFlags,
    },
    foreign: {
      latest: { short: "l", missing: "there is nothing but images" },
      size: { short: "s", note: "the size is always shown" },
      type: { value: true, off: "image", missing: "there is nothing but images" },
    },
    examples: ["tsbuild inspect app", "tsbuild inspect --field config.Env app", "tsbuild inspect --raw=index --platform linux/arm64 app"],
  },
  { min: 1, max: 1 },
  ({ flags, operands: [name = ""] }, io) =>
    withStore(flags, io, async (store) => {
      const image = await store.images.open(name, platformOfFlag(flags));
      if (flags.raw !== undefined) {
        const text = (await rawDocument(store, image, name, flags.raw)).toString();
        io.stdout.write(io.stdout.isTTY ? `${harmlessJson(text)}\n` : text);
        return 0;
      }
      const described = await describe(store, image);
      if (flags.field === undefined) io.stdout.write(formatJson(described));
      else {
        // As a program reads it: without what is undefined.
        const value = jsonField(JSON.parse(JSON.stringify(described)), flags.field);
        io.stdout.write(typeof value === "string" ? `${value.split("\n").map(harmlessText).join("\n")}\n` : formatJson(value));
      }
      return 0;
    }),
);

function harmlessText(line: string): string {
  return harmless(line, { colors: false });
}

async function rawDocument(store: Store, image: Image, name: string, document: "index" | "manifest" | "config"): Promise<Buffer> {
  if (document === "manifest") return image.rawManifest;
  if (document === "config") return image.rawConfig;
  if (isIndexType(image.listed.mediaType)) return store.blobs.readBytes(image.listed, maxManifestBytes);
  throw new NotFoundError(`inspecting ${name}: it has no index, its manifest is listed alone`, { hint: "--raw prints the manifest" });
}

async function describe(store: Store, { names, imageId, descriptor, listed, manifest, config, layers }: Image): Promise<object> {
  const { rootfs: _, history, config: container, ...about } = config;
  return {
    names,
    imageId,
    manifest: descriptor,
    ...(isIndexType(listed.mediaType) && { index: await describeIndex(store, listed) }),
    ...about,
    sizeBytes: layersSize(layers.map(({ blob }) => blob)),
    config: container ?? {},
    layers: layers.map(({ diffId, blob }) => ({ diffId, ...blob })),
    history: history ?? [],
    annotations: manifest.annotations ?? {},
  };
}

async function describeIndex(store: Store, listed: Image["listed"]): Promise<object> {
  const { annotations = {} } = parseIndex(await store.blobs.readBytes(listed, maxManifestBytes), listed.digest);
  const { platforms } = await imageContent(listed, store.blobs);
  return {
    ...listed,
    annotations,
    platforms: platforms.map(({ platform, descriptor, imageId, sizeBytes }) => ({
      platform: platform && platformText(platform),
      digest: descriptor.digest,
      isHere: imageId !== undefined,
      imageId,
      sizeBytes,
      annotations: descriptor.annotations ?? {},
    })),
  };
}
