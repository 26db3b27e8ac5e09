/** Characters of a URL that a message shows. */
const shownChars = 200;

/** A URL as messages show it: without user part, query and fragment, which may hold secrets; one line, cut. Works for what is no URL as well. */
export function publicUrl(url: string): string {
  const bare = url
    .replace(/[?#].*$/s, "")
    .replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/]*@/i, "$1")
    .replace(/[\x00-\x20\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g, "?");
  return bare.length > shownChars ? `${bare.slice(0, shownChars)}…` : bare;
}
