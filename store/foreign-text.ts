/** Characters of a foreign value that a message shows. */
const shownChars = 80;

/** A text from elsewhere, as a message shows it: its beginning. */
export function shortened(text: string): string {
  return text.length > shownChars ? `${text.slice(0, shownChars)}…` : text;
}

/** A value of a foreign document, as a message shows it. What holds others is only named: it may be nested deeper than can be written out. */
export function shown(value: unknown): string {
  if (typeof value === "string") return shortened(JSON.stringify(value.slice(0, shownChars + 1)));
  if (typeof value !== "object" || value === null) return String(value);
  return Array.isArray(value) ? "a list" : "an object";
}
