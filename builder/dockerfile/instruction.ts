/** 1-based, as printed. A column counts UTF-16 units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Where a piece of a Dockerfile stands; `end` is exclusive. */
export interface SourceRange {
  readonly start: Position;
  readonly end: Position;
}

/** Body of a `<<WORD` document. */
export interface Heredoc {
  /** The delimiter, which is also the file's name in COPY and ADD. */
  readonly name: string;
  /** False when the delimiter was quoted. */
  readonly expand: boolean;
  readonly content: string;
}

/** Shell form keeps the text as written (continuations joined); exec form is the JSON array. */
export type Command =
  | { readonly form: "shell"; readonly script: string; readonly heredocs: readonly Heredoc[] }
  | { readonly form: "exec"; readonly args: readonly string[] };

/** One word as written: quotes and variables still in it. */
export type Word = string;

export interface KeyValue {
  readonly key: Word;
  readonly value: Word;
}

export interface CopyFlags {
  readonly from?: Word;
  readonly chown?: Word;
  readonly chmod?: Word;
  readonly link?: boolean;
  readonly parents?: boolean;
  readonly exclude?: readonly Word[];
  readonly checksum?: Word;
  readonly keepGitDir?: boolean;
  readonly unpack?: boolean;
}

export type CopySource = { readonly kind: "path"; readonly path: Word } | { readonly kind: "heredoc"; readonly heredoc: Heredoc };

interface InstructionBase {
  readonly range: SourceRange;
  /** The instruction's text as in the file, with its continuation lines. */
  readonly source: string;
}

export type From = InstructionBase & {
  readonly keyword: "FROM";
  readonly image: Word;
  /** As written; stage names are compared in lower case. */
  readonly stage?: string;
  readonly platform?: Word;
};
export type Run = InstructionBase & {
  readonly keyword: "RUN";
  readonly command: Command;
  readonly mounts: readonly Word[];
  readonly network?: Word;
  readonly security?: Word;
};
export type Copy = InstructionBase & {
  readonly keyword: "COPY" | "ADD";
  readonly flags: CopyFlags;
  readonly sources: readonly CopySource[];
  readonly target: Word;
};
export type Env = InstructionBase & { readonly keyword: "ENV" | "LABEL"; readonly pairs: readonly KeyValue[] };
export type Arg = InstructionBase & {
  readonly keyword: "ARG";
  readonly args: readonly { readonly name: Word; readonly value?: Word }[];
};
export type Single = InstructionBase & {
  readonly keyword: "WORKDIR" | "USER" | "STOPSIGNAL" | "MAINTAINER";
  readonly value: Word;
};
export type List = InstructionBase & { readonly keyword: "EXPOSE" | "VOLUME"; readonly values: readonly Word[] };
export type Start = InstructionBase & { readonly keyword: "CMD" | "ENTRYPOINT"; readonly command: Command };
export type Shell = InstructionBase & { readonly keyword: "SHELL"; readonly args: readonly string[] };
export type HealthCheck = InstructionBase & {
  readonly keyword: "HEALTHCHECK";
  /** Absent for NONE. */
  readonly command?: Command;
  /** Nanoseconds. */
  readonly interval?: number;
  readonly timeout?: number;
  readonly startPeriod?: number;
  readonly startInterval?: number;
  readonly retries?: number;
};
export type OnBuild = InstructionBase & { readonly keyword: "ONBUILD"; readonly trigger: string };

export type Instruction = From | Run | Copy | Env | Arg | Single | List | Start | Shell | HealthCheck | OnBuild;

export interface Stage {
  readonly from: From;
  /** Everything after FROM, in order. */
  readonly instructions: readonly Exclude<Instruction, From>[];
}

/** A parsed file. */
export interface Dockerfile {
  /** As printed in errors. */
  readonly file: string;
  readonly text: string;
  readonly escape: "\\" | "`";
  readonly directives: Readonly<Record<string, string>>;
  /** ARGs before the first FROM. */
  readonly globals: readonly Arg[];
  readonly stages: readonly Stage[];
}
