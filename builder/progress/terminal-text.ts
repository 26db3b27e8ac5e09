import { replaceUnseen } from "../../store/unseen.ts";

// ECMA-48: OSC, DCS, SOS, PM and APC strings up to their terminator; CSI sequences; other escapes of two or three characters.
const strings = /(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)/g;
const sequences = /(?:\x1b\[|\x9b)[0-?]*[ -/]*(?:[@-~]|$)|\x1b[ -/]*[0-~]?/g;
const colour = /^\x1b\[[0-9;:]*m$/;
// An escape that is left is a kept colour's.
const spaces: Readonly<Record<string, string>> = { "\n": " ", "\t": "    ", "\x1b": "\x1b" };

/** One line of foreign text, made harmless for a terminal: no controls, and no escape sequences but colours (those too if not `colors`). */
export function harmless(text: string, options: { readonly colors: boolean }): string {
  // Most lines hold nothing but printable ASCII.
  if (/^[\x20-\x7e]*$/.test(text)) return text;
  let kept = false;
  const uncontrolled = text.replace(strings, "").replace(sequences, (sequence) => {
    if (!options.colors || !colour.test(sequence)) return "";
    kept = true;
    return sequence;
  });
  const cleaned = replaceUnseen(uncontrolled, (character) => spaces[character] ?? "");
  return kept ? `${cleaned}\x1b[0m` : cleaned;
}

/** What a terminal would show of a line that carriage returns overwrite. */
export function afterReturns(line: string): string {
  const parts = line.split("\r");
  return parts.findLast((part) => part !== "") ?? "";
}

/** How many columns a harmless text takes. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const { width } of pieces(text)) columns += width;
  return columns;
}

/** The text cut to so many columns, with "…" at the end where something is missing. */
export function clip(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  let shown = "";
  let used = 0;
  let colored = false;
  for (const { piece, width } of pieces(text)) {
    if (width > 0 && used + width > columns - 1) break;
    if (width === 0 && piece.startsWith("\x1b")) colored = true;
    shown += piece;
    used += width;
  }
  return columns < 1 ? "" : `${shown}…${colored ? "\x1b[0m" : ""}`;
}

const wide =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1b000}-\u{1b2ff}\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
const invisible = /^[\p{Mn}\p{Me}\p{Cf}]/u;

function* pieces(text: string): Generator<{ piece: string; width: number }> {
  for (const [piece] of text.matchAll(/\x1b\[[0-9;:]*m|[\s\S]/gu)) {
    const width = piece.startsWith("\x1b") || invisible.test(piece) ? 0 : wide.test(piece) ? 2 : 1;
    yield { piece, width };
  }
}
