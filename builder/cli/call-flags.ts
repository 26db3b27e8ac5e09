import { nearest } from "../dockerfile/suggest.ts";
import type { FlagTable, FlagValues } from "./flags.ts";
import { UsageError } from "./usage-error.ts";

/** Of the build: what is asked instead of an image. */
export const callFlags = {
  check: { help: "Check the Dockerfile and build nothing; the same as --call=check" },
  call: {
    value: "METHOD",
    help: "What to do with the Dockerfile: build, check, outline (what a target takes) or targets; METHOD,format=json too (build)",
  },
  explain: { value: "RULE", implied: "", help: "With --check: say what a rule is about; without RULE all of them" },
  format: { value: "FORMAT", help: "How to print what --check, --call and --dry-run say: table, json (table)" },
} as const satisfies FlagTable;

const methods = ["build", "check", "outline", "targets"] as const;
const formats = ["table", "json"] as const;

/** What the command line asks for. */
export interface Call {
  readonly method: (typeof methods)[number];
  readonly format: (typeof formats)[number];
  /** Names of rules to explain; none: all. Absent: the Dockerfile is checked. */
  readonly explain?: readonly string[];
  /** Findings do not change the exit code. */
  readonly ignoreStatus: boolean;
}

/**
 * Reads the flags. Words behind a lone --explain are rules: there is no context then. `--format` says nothing about a plain build, where podman's
 * oci is what is done anyway. Throws UsageError.
 */
export function readCall(flags: FlagValues<typeof callFlags> & { readonly "dry-run"?: boolean }, operands: readonly string[]): Call {
  const { method: named, fields } = readMethod(flags.call ?? "build");
  const isCheck = flags.check === true || flags.explain !== undefined;
  if (isCheck && named !== "check" && flags.call !== undefined) {
    throw new UsageError("INVALID_VALUE", `reading --call: "${flags.call}" and --check contradict each other`);
  }
  const method = isCheck ? "check" : named;
  const isDry = flags["dry-run"] === true;
  if (isDry && method !== "build") {
    throw new UsageError(
      "INVALID_VALUE",
      `reading the command line: --dry-run and ${isCheck ? "--check" : `--call=${method}`} cannot be done at once`,
    );
  }
  const { explain } = flags;
  return {
    method,
    format: readFormat(flags.format ?? fields.format, method === "build" && !isDry),
    ignoreStatus: readBoolean(fields.ignorestatus),
    ...(explain === undefined
      ? {}
      : { explain: explain === "" ? operands.filter((word) => /^[A-Za-z]+$/.test(word)) : explain.split(",") }),
  };
}

interface Method {
  readonly method: Call["method"];
  readonly fields: Readonly<Record<string, string>>;
}

/** "outline,format=json", as docker buildx takes it. */
function readMethod(text: string): Method {
  const [written = "", ...rest] = text.split(",");
  const method = written === "lint" ? "check" : methods.find((name) => name === written);
  if (method === undefined) throw invalid("--call", written, methods);
  const fields: Record<string, string> = {};
  for (const field of rest) {
    const [key = "", value] = field.split("=", 2);
    if ((key !== "format" && key !== "ignorestatus") || value === undefined) {
      throw new UsageError("INVALID_VALUE", `reading --call: "${field}" is not format=FORMAT or ignorestatus=true`);
    }
    fields[key] = value;
  }
  return { method, fields };
}

/** `isPlain`: an image is built, and nothing is printed that could have a format. */
function readFormat(text: string | undefined, isPlain: boolean): Call["format"] {
  if (text === undefined || text === "text" || (isPlain && text === "oci")) return "table";
  if (isPlain) {
    throw new UsageError("INVALID_VALUE", `reading --format: "${text}" is for what --check, --call and --dry-run print`, {
      hint:
        text === "docker"
          ? "images are OCI images; -o type=registry,oci-mediatypes=false pushes Docker's types"
          : "an image has the formats of --output",
    });
  }
  const format = formats.find((name) => name === text);
  if (format === undefined) throw invalid("--format", text, formats);
  return format;
}

function readBoolean(text = "false"): boolean {
  if (text === "true" || text === "1") return true;
  if (text === "false" || text === "0") return false;
  throw new UsageError("INVALID_VALUE", `reading --call: ignorestatus="${text}" is neither true nor false`);
}

function invalid(flag: string, word: string, allowed: readonly string[]): UsageError {
  const near = nearest(word, allowed);
  return new UsageError(
    "INVALID_VALUE",
    `reading ${flag}: "${word}" is not one of ${allowed.join(", ")}`,
    near === undefined ? {} : { hint: `did you mean ${near}?` },
  );
}
