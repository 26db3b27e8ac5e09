import { TsbuildError } from "../../store/errors.ts";
import type { Dockerfile } from "../dockerfile/instruction.ts";
import { nearest } from "../dockerfile/suggest.ts";
import type { Scope } from "./scope.ts";

/** Where variables of FROM and --from come from. */
export interface GlobalNames {
  readonly dockerfile: Pick<Dockerfile, "globals">;
  readonly globals: Scope;
}

/** What to do about the first of these variables, which FROM or --from use and which have no value; undefined where there is none. */
export function unsetHint([name]: readonly string[], { dockerfile, globals }: GlobalNames): string | undefined {
  if (name === undefined) return undefined;
  if (isDeclared(name, dockerfile)) return `${name} has no value: give its ARG a default, or pass --build-arg ${name}=VALUE`;
  const near = nearest(
    name,
    new Set([...dockerfile.globals.flatMap(({ args }) => args.map((arg) => arg.name)), ...globals.variables.keys()]),
  );
  const problem = `no ARG before the first FROM declares ${name}`;
  return near === undefined ? `${problem}: put ARG ${name}=VALUE there` : `${problem}; did you mean ${near}?`;
}

/** The value; an error gets the hint in place of its own, which cannot know of variables. */
export function withHint<T>(hint: string | undefined, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (hint === undefined || !(error instanceof TsbuildError)) throw error;
    throw new TsbuildError(error.code, error.message, { cause: error.cause, hint });
  }
}

/** Whether an ARG before the first FROM has the name. */
export function isDeclared(name: string, { globals }: Pick<Dockerfile, "globals">): boolean {
  return globals.some(({ args }) => args.some((arg) => arg.name === name));
}
