import type { CopyPlace } from "../../store/registry/copy.ts";
import { readRemoteName } from "./remote-name.ts";
import { UsageError } from "./usage-error.ts";

/** Where other tools can have images. */
const foreign = /^(?:containers-storage|dir|docker-daemon|ostree|sif|tarball):/;

/**
 * "NAME" and "docker://NAME" (a registry), "store:NAME", "oci:DIR[:NAME]", "oci-archive:FILE[:NAME]", "docker-archive:FILE[:NAME]". A path ends at its first colon, as skopeo has it. Throws UsageError and
 * INVALID_REFERENCE.
 */
export function readCopyPlace(text: string): CopyPlace {
  const [, kind, rest = ""] = /^(docker:\/\/|store:|oci:|oci-archive:|docker-archive:)(.*)$/s.exec(text) ?? [];
  switch (kind) {
    case "store:":
      if (rest === "") throw withoutName(text, "store:NAME");
      return { kind: "store", name: rest };
    case "oci:": {
      const { path, name } = pathAndName(text, rest, "oci:DIR[:NAME]");
      return { kind: "oci", directory: path, name };
    }
    case "oci-archive:":
    case "docker-archive:": {
      const { path, name } = pathAndName(text, rest, `${kind}FILE[:NAME]`);
      return { kind: kind === "oci-archive:" ? "oci-archive" : "docker-archive", file: path, name };
    }
    case "docker://":
      return { kind: "registry", reference: readRemoteName(rest) };
    default:
      if (foreign.test(text)) {
        throw new UsageError("UNSUPPORTED_VALUE", `reading "${text}": images cannot be copied from or to there`, {
          hint: "NAME is a registry's, store:NAME, oci:DIR, oci-archive:FILE and docker-archive:FILE are here",
        });
      }
      return { kind: "registry", reference: readRemoteName(text) };
  }
}

function pathAndName(text: string, rest: string, form: string): { readonly path: string; readonly name: string | undefined } {
  const [path = "", ...name] = rest.split(":");
  if (path === "") throw withoutName(text, form);
  return { path, name: name.length === 0 ? undefined : name.join(":") };
}

function withoutName(text: string, form: string): UsageError {
  return new UsageError("MISSING_VALUE", `reading "${text}": nothing stands behind the colon`, { hint: `write it as ${form}` });
}
