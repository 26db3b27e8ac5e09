import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { RequirementName } from "../requirements.ts";

// The form of fixtures/dockerfile-cases/*.json: a file a topic, each a list of cases.

/** What the language says about one thing, and rows that show it. */
export interface Case {
  /** Speaking, unique in all topics, and for ever: the documentation's table of differences names cases by it. */
  readonly id: string;
  readonly statement: string;
  /** Where anybody can read that it is so; "Differs: " and what BuildKit does, where that is something else. */
  readonly source: string;
  /** None where that table says why. */
  readonly rows: readonly Row[];
}

/** Lines, each with its line end, or the text as it is. */
export type Text = string | readonly string[];

export const textOf = (text: Text): string => (typeof text === "string" ? text : text.map((line) => `${line}\n`).join(""));

/** By path; "\xNN" in a path is that byte. */
export type Files = Readonly<Record<string, FileSpec>>;

export interface Attributes {
  /** Octal. */
  readonly mode?: string;
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds; absent: 1,000,000,000. */
  readonly mtime?: number;
}

/** A text is a file of mode 0644; a path that ends in "/" is a directory, of mode 0755. */
export type FileSpec =
  | string
  | (Attributes & {
      readonly text?: Text;
      readonly base64?: string;
      /** The file is a tar of these, compressed if so said. */
      readonly tar?: TarSpec;
      readonly symlink?: string;
      /** Another name of the file of this path. */
      readonly hardlink?: string;
      readonly fifo?: true;
      /** By name; set with setfattr(1). */
      readonly xattrs?: Readonly<Record<string, string>>;
    });

export type Compression = "gzip" | "bzip2" | "xz" | "zstd";

export interface TarSpec {
  readonly files: Files;
  readonly compression?: Compression;
}

/** What a path of the image must be; what is not given may be anything. A text is a file of mode 0644 with that content, of a directory its mode; both of owner 0:0. */
export type Wanted =
  | string
  | {
      readonly content?: string;
      readonly size?: number;
      readonly mode?: string;
      readonly uid?: number;
      readonly gid?: number;
      readonly mtime?: number;
      readonly symlink?: string;
      readonly fifo?: true;
      readonly xattrs?: Readonly<Record<string, string>>;
      /** Other names of the same file, sorted. */
      readonly links?: readonly string[];
    };

export interface WantedError {
  readonly code: string;
  /** A part of the message. */
  readonly message?: string;
  readonly hint?: string;
  readonly line?: number;
  readonly column?: number;
}

/** What must come of a build. */
export interface WantedImage {
  /** Everything that is in the image. */
  readonly tree?: Readonly<Record<string, Wanted>>;
  /** Some of it. */
  readonly files?: Readonly<Record<string, Wanted>>;
  readonly absent?: readonly string[];
  /** Some fields of the config's `config`; null: not there. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Some fields of the config itself; null: not there. */
  readonly image?: Readonly<Record<string, unknown>>;
  /** Every created_by, with "(empty) " in front where there is no layer. */
  readonly history?: readonly string[];
  readonly layers?: number;
  /** A part of each of some warnings and notes. */
  readonly warnings?: readonly string[];
  readonly noWarnings?: true;
}

export type WantedBuild = WantedImage | { readonly error: WantedError } | { readonly errors: readonly WantedError[] };

export interface ServedFile {
  readonly text?: Text;
  readonly tar?: TarSpec;
  readonly lastModified?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Served {
  /** By path on the server. */
  readonly http?: Readonly<Record<string, ServedFile>>;
  /** A repository with one commit of each, by tag; the last is the branch "main". */
  readonly git?: Readonly<Record<string, Files>>;
}

export type ContextSpec =
  | { readonly kind: "directory"; readonly files: Files }
  /** Bytes, as standard input gives them. */
  | ({ readonly kind: "tar" } & TarSpec)
  | { readonly kind: "text"; readonly text: Text }
  | { readonly kind: "git" | "http"; readonly url: string }
  | { readonly kind: "empty" }
  | { readonly kind: "image"; readonly image: string }
  | { readonly kind: "oci-layout"; readonly image: string; readonly name?: string }
  | { readonly kind: "stage"; readonly stage: string };

interface RowBase {
  readonly name: string;
  readonly needs?: readonly RequirementName[];
}

export interface BuildInput {
  readonly dockerfile?: Text;
  /** A directory's files, or another kind. */
  readonly context?: Files;
  readonly main?: ContextSpec;
  readonly contexts?: Readonly<Record<string, ContextSpec>>;
  /** Images that the Dockerfile names, by name, built before. */
  readonly images?: Readonly<Record<string, Pick<BuildInput, "dockerfile" | "context">>>;
  /** What a server of the test's own offers: "{http}" and "{git}" in the Dockerfile stand for its addresses. */
  readonly serve?: Served;
  /** BuildOptions that JSON can say. */
  readonly options?: Readonly<Record<string, unknown>>;
}

/** The Dockerfile's instructions, or its errors. */
export interface ParseRow extends RowBase {
  readonly kind: "parse";
  readonly dockerfile: Text;
  readonly expect:
    | { readonly instructions: readonly Readonly<Record<string, unknown>>[] }
    | { readonly error: WantedError }
    | { readonly errors: readonly WantedError[] };
}

/** What words expand to. */
export interface WordRow extends RowBase {
  readonly kind: "word";
  readonly env?: Readonly<Record<string, string>>;
  readonly escape?: "\\" | "`";
  readonly word: string;
  readonly expect: { readonly value: string } | { readonly words: readonly string[] } | { readonly error: WantedError };
}

/** Which of these files COPY . takes. */
export interface IgnoreRow extends RowBase {
  readonly kind: "ignore";
  readonly patterns: Text;
  readonly files: readonly string[];
  readonly expect: { readonly kept: readonly string[] } | { readonly error: WantedError };
}

export interface BuildRow extends RowBase, BuildInput {
  readonly kind: "build";
  readonly expect: WantedBuild;
}

/** Built twice, with a change in between: which steps of the second build were cached. */
export interface CacheRow extends RowBase, BuildInput {
  readonly kind: "cache";
  readonly change: Pick<BuildInput, "dockerfile" | "context" | "options"> & { readonly remove?: readonly string[] };
  /** By the instruction's text. */
  readonly expect: Readonly<Record<string, "cached" | "done">>;
}

/** The findings of the checks, in order. */
export interface CheckRow extends RowBase {
  readonly kind: "check";
  readonly dockerfile: Text;
  readonly ignore?: Text;
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly expect: { readonly findings: readonly { readonly rule: string; readonly line: number }[] };
}

/** The program itself, in a directory with these files. */
export interface CommandRow extends RowBase, Omit<BuildInput, "dockerfile" | "main" | "contexts" | "options"> {
  readonly kind: "command";
  /** After "tsbuild". The image is called app. */
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: Text | { readonly tar: TarSpec };
  readonly expect: {
    readonly code: number;
    /** Parts of it. */
    readonly stdout?: readonly string[];
    readonly stderr?: readonly string[];
    readonly image?: WantedImage;
  };
}

export type Row = ParseRow | WordRow | IgnoreRow | BuildRow | CacheRow | CheckRow | CommandRow;

const FOLDER = new URL("../../../fixtures/dockerfile-cases/", import.meta.url);

/** The names of all topics, sorted. */
export function topics(): readonly string[] {
  return readdirSync(fileURLToPath(FOLDER))
    .filter((name) => name.endsWith(".json"))
    .map((name) => name.slice(0, -".json".length))
    .sort();
}

export function casesOf(topic: string): readonly Case[] {
  return JSON.parse(readFileSync(new URL(`${topic}.json`, FOLDER), "utf8"));
}
