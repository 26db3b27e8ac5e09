/** Screen size of the moment, in characters. */
export interface Screen {
  readonly columns: number;
  readonly rows: number;
}

/** What is known of a stream that may be a terminal; 0 columns or rows where a terminal has never been told its size. */
export interface ScreenStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

/** A picture in fewer is nothing but ellipses. */
const minColumns = 20;

/** Where nothing says how large the screen is, it is as terminals were. */
export function screenOf({ columns, rows }: ScreenStream): Screen {
  return { columns: Math.max(columns || 80, minColumns), rows: rows || 24 };
}

/** Whether a picture can be drawn there, and drawn again. */
export function canDraw({ isTTY, columns }: ScreenStream, env: Readonly<Record<string, string | undefined>>): boolean {
  return isTTY === true && env.TERM !== "dumb" && (columns || 80) >= minColumns;
}
