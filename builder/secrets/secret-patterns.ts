import type { Pattern } from "../../runtime-addon/index.ts";

/** A form in which a secret may have got somewhere. */
export interface SecretPattern extends Pattern {
  /** "the secret as it is", "line 3 of it in base64": for messages. */
  readonly form: string;
}

/** What is shorter is found everywhere. */
const leastBytes = 8;
const leastLineBytes = 16;
const mostBytesWithLines = 64 * 1024;
const lineBreaks = "\r\n";

/**
 * What to look for where a secret must not be: its bytes without white space around them, and each of its longer lines, as they are, in base64, in hexadecimal and
 * URL-encoded. Lines of keys and of what is very long are no secrets of their own. Empty where it is too short to be told from other text.
 */
export function secretPatterns(id: string, secret: Buffer): readonly SecretPattern[] {
  const whole = trimmed(secret);
  if (whole.length < leastBytes) return [];
  const lines = whole.length > mostBytesWithLines || whole.includes("-----BEGIN ") ? [] : linesOf(whole);
  const patterns = [formsOf(id, whole, ""), ...lines.map(({ number, bytes }) => formsOf(id, bytes, `line ${number} of it`))];
  const seen = new Set<string>();
  return patterns.flat().filter(({ bytes }) => {
    const text = Buffer.from(bytes).toString("latin1");
    return !seen.has(text) && seen.add(text);
  });
}

/** PEM with certificates only, which everybody may see. */
export function isPublic(secret: Buffer): boolean {
  const labels = [...secret.toString("latin1").matchAll(/-----BEGIN ([^-\n]*)-----/g)].map(([, label]) => label);
  return labels.length > 0 && labels.every((label) => label === "CERTIFICATE" || label === "TRUSTED CERTIFICATE");
}

function linesOf(whole: Buffer): readonly { readonly number: number; readonly bytes: Buffer }[] {
  const lines = whole.toString("latin1").split("\n");
  if (lines.length === 1) return [];
  return lines
    .map((line, i) => ({ number: i + 1, bytes: trimmed(Buffer.from(line, "latin1")) }))
    .filter(({ bytes }) => bytes.length >= leastLineBytes);
}

function formsOf(id: string, bytes: Buffer, part: string): readonly SecretPattern[] {
  const pattern = (form: string, text: Buffer | string, breaks: string): SecretPattern => {
    const name = form === "" ? part || "it as it is" : `${part || "it"} ${form}`;
    return { id, form: name, bytes: typeof text === "string" ? Buffer.from(text, "latin1") : text, breaks };
  };
  const hex = bytes.toString("hex");
  return [
    pattern("", bytes, ""),
    pattern("in base64", bytes.toString("base64"), lineBreaks),
    ...[0, 1, 2].flatMap((offset) => {
      const text = base64At(bytes, offset);
      return [text, text.replaceAll("+", "-").replaceAll("/", "_")].map((form) => pattern("in base64", form, lineBreaks));
    }),
    ...[hex, hex.toUpperCase()].map((form) => pattern("in hexadecimal", form, `${lineBreaks} \t`)),
    ...urlForms(bytes).map((form) => pattern("URL-encoded", form, "")),
  ];
}

/** What the bytes come to in base64 behind so many others: without the characters in which neighbours have a part. */
function base64At(bytes: Buffer, offset: number): string {
  const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString("base64");
  return text.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
}

/** As encodeURIComponent, as forms, as paths (with "/") and as encodeURI have it, with digits of either case. */
function urlForms(bytes: Buffer): readonly string[] {
  const kept = [/[A-Za-z0-9\-_.~]/, /[A-Za-z0-9\-_.!~*'()]/, /[A-Za-z0-9\-_.~/]/, /[A-Za-z0-9\-_.!~*'();/?:@&=+$,#]/];
  return kept.flatMap((keep) => {
    const upper = [...bytes].map((byte) => {
      const char = String.fromCharCode(byte);
      return keep.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    });
    const text = upper.join("");
    return [text, text.replaceAll("%20", "+"), upper.map((part) => (part.length === 3 ? part.toLowerCase() : part)).join("")];
  });
}

function trimmed(bytes: Buffer): Buffer {
  // latin1: a byte a character; \s would take more than ASCII's white space.
  return Buffer.from(bytes.toString("latin1").replace(/^[ \t\r\n\v\f]+|[ \t\r\n\v\f]+$/g, ""), "latin1");
}
