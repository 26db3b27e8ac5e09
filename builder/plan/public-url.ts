import { replaceUnseen } from "../../store/unseen.ts";

/** Characters of a URL that a message shows. */
const shownChars = 200;

/** A URL as messages show it: without user part, query and fragment, which may hold secrets; one line, cut. Works for what is no URL as well. */
export function publicUrl(url: string): string {
  const open = url.replace(/[?#].*$/s, "").replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/]*@/i, "$1");
  const bare = replaceUnseen(open, () => "?").replaceAll(" ", "?");
  return bare.length > shownChars ? `${bare.slice(0, shownChars)}…` : bare;
}
