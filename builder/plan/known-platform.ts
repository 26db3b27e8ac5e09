import { TsbuildError } from "../../store/errors.ts";
import type { Platform } from "../../store/oci.ts";
import { platformText } from "../../store/platform.ts";
import { nearest } from "../dockerfile/suggest.ts";

/** The values of GOARCH that Go knows or keeps for later: what `architecture` of an image config should be (image-spec, config.md). */
const architectures: readonly string[] = (
  "386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ppc ppc64 ppc64le riscv riscv64 s390 s390x " +
  "sparc sparc64 wasm"
).split(" ");

/** The values of GOOS, which `os` should be one of. */
const systems: readonly string[] =
  "aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris wasip1 windows zos".split(" ");

/** In lower case. */
export function isKnownSystem(word: string): boolean {
  return systems.includes(word) || word === "macos";
}

/** In lower case; not by its other names. */
export function isKnownArchitecture(word: string): boolean {
  return architectures.includes(word);
}

/**
 * An image's label comes from the platform that was asked for, so that a misspelt one would make an image that no machine takes. Throws INVALID_PLATFORM for an architecture that
 * is not known, unless one of the base images is for it.
 */
export function refuseUnknownArchitecture(asked: Platform, bases: readonly Platform[]): void {
  const { architecture } = asked;
  if (architectures.includes(architecture) || bases.some((base) => base.architecture === architecture)) return;
  const near = nearest(architecture, architectures);
  throw new TsbuildError(
    "INVALID_PLATFORM",
    `planning the build: no architecture "${architecture}" is known (--platform ${platformText(asked)})`,
    {
      hint: near === undefined ? `known ones: ${architectures.join(", ")}` : `did you mean ${near}?`,
    },
  );
}

/** What is odd about a platform that may be meant all the same: any words are taken, as containerd does. Undefined where both its words are known. */
export function unknownPlatform(platform: Platform): string | undefined {
  const { os, architecture } = platform;
  const problems = [
    ...(systems.includes(os) ? [] : [`system "${os}"`]),
    ...(architectures.includes(architecture) ? [] : [`architecture "${architecture}"`]),
  ];
  if (problems.length === 0) return undefined;
  const known = (word: string, words: readonly string[]) => (words.includes(word) ? word : nearest(word, words));
  const [system, machine] = [known(os, systems), known(architecture, architectures)];
  const meant = system === undefined || machine === undefined ? "" : `; did you mean ${system}/${machine}?`;
  return `the platform ${platformText(platform)}: no ${problems.join(" and no ")} is known${meant}`;
}
