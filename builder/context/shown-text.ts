import { replaceUnseen } from "../../store/unseen.ts";

const shownLength = 200;

/** A piece of a file that anyone may have written, for an error: cut, and no character in it moves a cursor or turns the text around. */
export function shownText(text: string): string {
  const safe = replaceUnseen(text.slice(0, shownLength), (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
  return text.length > shownLength ? `${safe}…` : safe;
}
