import { join } from "node:path";

/** Where a run has its mutants, in its temporary directory: whatever file asks for one, it is made once. */
export function mutantsDirectory(temporary: string): string {
  return join(temporary, "mutants");
}
