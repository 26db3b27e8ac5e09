import { createHash } from "node:crypto";
import { TsbuildError } from "./errors.ts";

declare const brand: unique symbol;

/** `sha256:<64 lower-case hex>`; only this file makes one, so a Digest is always well-formed (OCI image spec, descriptor.md). */
export type Digest = string & { readonly [brand]: "Digest" };

const form = /^sha256:[0-9a-f]{64}$/;

export function isDigest(text: string): text is Digest {
  return form.test(text);
}

/** Throws TsbuildError INVALID_DIGEST. */
export function parseDigest(text: string): Digest {
  if (!isDigest(text)) {
    throw new TsbuildError("INVALID_DIGEST", `reading a digest: "${text}" is not sha256:<64 hex digits>`);
  }
  return text;
}

export function digestOf(content: Uint8Array | string): Digest {
  return `sha256:${createHash("sha256").update(content).digest("hex")}` as Digest;
}

/** From 32 raw bytes. */
export function digestFromBytes(bytes: Uint8Array): Digest {
  return `sha256:${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex")}` as Digest;
}

/** From 32 raw bytes each, one behind the other. All are slices of one text, which costs far less than a text for each. */
export function digestsFromBytes(bytes: Buffer): readonly Digest[] {
  const text = bytes.toString("hex").replace(/.{64}/g, "sha256:$&");
  return Array.from({ length: bytes.length / 32 }, (_, i) => text.slice(i * digestChars, (i + 1) * digestChars) as Digest);
}

const digestChars = "sha256:".length + 64;

/** The hex part: what file names in the store are made of. */
export function hexOf(digest: Digest): string {
  return digest.slice("sha256:".length);
}
