import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { digestOf, hexOf } from "./digest.ts";
import { fullName, type Reference } from "./reference.ts";
import { storePaths } from "./store-paths.ts";

/** What a reference asks for: "docker.io/library/app:latest", or the digest alone, whatever tag stands before it. */
export function askedName({ registry, repository, tag = "latest", digest }: Reference): string {
  return fullName({ registry, repository, ...(digest === undefined ? { tag } : { digest }) });
}

/** Where it is kept what a registry said that the name means, a file for each platform. */
export function rememberedFolder(root: string, reference: Reference): string {
  return join(storePaths.remote(root), hexOf(digestOf(askedName(reference))));
}

/** From here on the name means what index.json says alone. */
export function forgetName(root: string, reference: Reference): void {
  rmSync(rememberedFolder(root, reference), { recursive: true, force: true });
}

/** Whether a registry's word is kept at all, for whatever platform. */
export function isRemembered(root: string, reference: Reference): boolean {
  return existsSync(rememberedFolder(root, reference));
}
