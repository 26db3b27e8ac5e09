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

/** A `<<WORD` document. */
export interface Heredoc {
  /** The delimiter, which is also the file's name in COPY and ADD. */
  readonly name: string;
  /** False when the delimiter was quoted. Says nothing for RUN, where the shell decides. */
  readonly expand: boolean;
  /** The body: each line with its line end as in the file; of `<<-WORD`, without leading tabs. */
  readonly content: string;
  /** The body as in the file, leading tabs included. */
  readonly raw: string;
}

/** The text as written, continuations joined; of `RUN <<EOF` that is `<<EOF`, and the body is in `heredocs`. */
export interface ShellCommand {
  readonly form: "shell";
  readonly script: string;
  readonly heredocs: readonly Heredoc[];
}

/** The JSON array. */
export interface ExecCommand {
  readonly form: "exec";
  readonly args: readonly string[];
}

export type Command = ShellCommand | ExecCommand;

/** One word as written: quotes and variables still in it (of a flag's value, the outer quotes are gone). */
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

/** One `RUN --mount`. */
export interface MountFlag {
  /** The flag's value as written. */
  readonly text: Word;
  /** Each option once, under the name that stands for its aliases; without a value where it has none. */
  readonly options: readonly { readonly key: string; readonly value?: Word }[];
}

interface InstructionBase {
  readonly range: SourceRange;
  /** The instruction's text as in the file, with its continuation lines and heredocs. */
  readonly source: string;
  /** The instruction on one line: continuations joined, comments inside dropped, heredoc bodies left out. */
  readonly text: string;
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
  readonly mounts: readonly MountFlag[];
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
export type Workdir = InstructionBase & { readonly keyword: "WORKDIR"; readonly value: Word };
export type Single = InstructionBase & { readonly keyword: "USER" | "STOPSIGNAL" | "MAINTAINER"; readonly value: Word };
export type List = InstructionBase & { readonly keyword: "EXPOSE" | "VOLUME"; readonly values: readonly Word[] };
export type Start = InstructionBase & { readonly keyword: "CMD" | "ENTRYPOINT"; readonly command: Command };
export type Shell = InstructionBase & { readonly keyword: "SHELL"; readonly args: readonly string[] };
export type HealthCheck = InstructionBase & {
  readonly keyword: "HEALTHCHECK";
  /** Absent for NONE. */
  readonly command?: Command;
  /** Nanoseconds; absent where 0 or not given, which both mean the default. */
  readonly interval?: number;
  readonly timeout?: number;
  readonly startPeriod?: number;
  readonly startInterval?: number;
  readonly retries?: number;
};
/** `trigger` is the other instruction's text, with its heredocs: what the image config stores. */
export type OnBuild = InstructionBase & { readonly keyword: "ONBUILD"; readonly trigger: string };

export type Instruction = From | Run | Copy | Env | Arg | Workdir | Single | List | Start | Shell | HealthCheck | OnBuild;

export type StageInstruction = Exclude<Instruction, From>;

export interface Stage {
  readonly from: From;
  /** Everything after FROM, in order. */
  readonly instructions: readonly StageInstruction[];
}

/** A parsed file. */
export interface Dockerfile {
  /** As printed in errors. */
  readonly file: string;
  /** Without a byte order mark. */
  readonly text: string;
  readonly escape: "\\" | "`";
  /** By lower-case name: syntax, escape, check. */
  readonly directives: Readonly<Record<string, string>>;
  /** ARGs before the first FROM. */
  readonly globals: readonly Arg[];
  readonly stages: readonly Stage[];
}
