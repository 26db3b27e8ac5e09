import { TsbuildError } from "../../runtime-addon/index.ts";

/** The command line or a setting is wrong: exit code 2. */
export class UsageError extends TsbuildError {}
