import { TsbuildError } from "../../store/errors.ts";
import { parseChmod } from "../dockerfile/chmod.ts";
import type { Copy } from "../dockerfile/instruction.ts";
import { parseChown } from "../dockerfile/values.ts";
import { expandDocument } from "../dockerfile/words.ts";
import { invalidSource } from "./invalid-source.ts";
import type { CopyOperation, CopyWord, FileOrigin } from "./operation.ts";
import { absolute, cleanPivoted, cleanSource, climbing } from "./paths.ts";
import { publicUrl } from "./public-url.ts";
import { parseRemoteSource } from "./remote-source.ts";
import { type ArgSources, expand } from "./scope.ts";
import type { StageState } from "./stage-state.ts";

/** Plans a COPY or ADD that reads from `origin`; `createdBy` is its history text. */
export function planCopy(
  instruction: Copy,
  state: StageState,
  origin: FileOrigin,
  sources: ArgSources,
): { readonly operation: CopyOperation; readonly createdBy: string } {
  const { flags, keyword } = instruction;
  const word = (text: string): string => expand(text, state.scope, sources);
  const optional = (text: string | undefined): string | undefined => (text === undefined ? undefined : word(text) || undefined);
  const written: string[] = [];
  const documents: { name: string; content: string }[] = [];
  for (const source of instruction.sources) {
    if (source.kind === "path") written.push(word(source.path));
    else {
      const { name, content, expand: expands } = source.heredoc;
      documents.push({ name, content: expands ? expandDocument(content, (variable) => state.scope.variables.get(variable)) : content });
    }
  }
  const target = word(instruction.target);
  const chown = optional(flags.chown);
  const chmod = optional(flags.chmod);
  // What is wrong with the words themselves shows before anything runs.
  if (chown !== undefined) parseChown(chown);
  if (chmod !== undefined) parseChmod(chmod);
  const parents = flags.parents ?? false;
  const words = copyWords(instruction, written, parents, optional(flags.checksum));
  const operation: CopyOperation = {
    op: "copy",
    origin,
    words,
    documents,
    target: copyTarget(target, state),
    unpack: { local: flags.unpack ?? keyword === "ADD", remote: flags.unpack ?? false },
    link: flags.link ?? false,
    parents,
    exclude: (flags.exclude ?? []).map(word),
    ...(chown === undefined ? {} : { chown }),
    ...(chmod === undefined ? {} : { chmod }),
  };
  const history = [
    keyword,
    ...(parents ? ["--parents"] : []),
    ...(chown === undefined ? [] : [`--chown=${chown}`]),
    ...(chmod === undefined ? [] : [`--chmod=${chmod}`]),
    ...written,
    ...documents.map(({ name }) => `<<${name}`),
    target,
  ];
  return { operation, createdBy: `${history.join(" ")} # buildkit` };
}

function copyWords(
  { keyword, flags }: Copy,
  written: readonly string[],
  parents: boolean,
  checksum: string | undefined,
): readonly CopyWord[] {
  if (checksum !== undefined && written.length !== 1) {
    throw new TsbuildError(
      "INVALID_CHECKSUM",
      `reading ${keyword} --checksum: it is for one URL or git repository, and there are ${written.length} sources`,
    );
  }
  return written.map((text): CopyWord => {
    const remote = parseRemoteSource(text, { keepGitDir: flags.keepGitDir ?? false, ...(checksum === undefined ? {} : { checksum }) });
    if (remote === undefined && checksum !== undefined) {
      throw new TsbuildError("INVALID_CHECKSUM", `reading ${keyword} --checksum: "${text}" is a path`, {
        hint: "checksums are for URLs and git repositories",
      });
    }
    if (remote !== undefined && keyword === "COPY") {
      const name = publicUrl(text);
      throw new TsbuildError("INVALID_SOURCE", `reading COPY ${name}: COPY reads files only`, {
        hint: "use ADD for URLs and git repositories",
      });
    }
    const scheme = remote === undefined ? /^[a-z][a-z\d+.-]*:\/\//i.exec(text)?.[0] : undefined;
    if (scheme !== undefined) throw invalidSource(text, `nothing is known of ${scheme}`, "ADD takes http, https and git");
    return remote ?? { kind: "path", path: parents ? cleanPivoted(text) : cleanSource(text), ...climbing(text) };
  });
}

function copyTarget(target: string, state: StageState): string {
  const path = absolute(target, state);
  const isDirectory = target === "" || /(^|\/)\.?\.?\/?$/.test(target) || target.endsWith("/");
  return isDirectory && path !== "/" ? `${path}/` : path;
}
