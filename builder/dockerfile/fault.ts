import { type ErrorDetails, TsbuildError } from "../../runtime-addon/index.ts";

/** A syntax error at offsets of one logical line; parse.ts turns it into a DockerfileError, the only form that leaves the parser. */
export class Fault extends TsbuildError {
  constructor(
    code: string,
    message: string,
    readonly from: number,
    /** Exclusive. */
    readonly to: number,
    details?: ErrorDetails,
  ) {
    super(code, message, details);
  }
}

/** A value inside a message: quoted, and cut so that a hostile file cannot make the message endless. */
export function quoted(value: string): string {
  return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
}
