const shownLength = 200;

/** A piece of a file that anyone may have written, for an error: cut, and no character in it moves a cursor or turns the text around. */
export function shownText(text: string): string {
  const safe = text
    .slice(0, shownLength)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
  return text.length > shownLength ? `${safe}…` : safe;
}
