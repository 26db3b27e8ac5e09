/** What a terminal acts on, and what nobody sees: Unicode's controls (Cc), marks of format that hide or turn text around (Cf), ends of lines and paragraphs (Zl, Zp). */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** The text with something else for every character that acts and is not seen, tabs and line ends among them. */
export function replaceUnseen(text: string, instead: (character: string) => string): string {
  return text.replace(unseen, instead);
}

/** JSON of the same value in which these characters stand as \uXXXX, so that no terminal acts on them; blanks between the values stay as they are (RFC 8259 §7). */
export function harmlessJson(json: string): string {
  return replaceUnseen(json, (character) =>
    character < " " ? character : Array.from({ length: character.length }, (_, i) => unit(character, i)).join(""),
  );
}

function unit(text: string, index: number): string {
  return `\\u${text.charCodeAt(index).toString(16).padStart(4, "0")}`;
}
