import { Fault } from "./fault.ts";

/**
 * Reads a text as the exec form: the strings of a JSON array, or undefined when it is no JSON array, which makes it shell form.
 * An array that holds anything but strings also gives undefined; `stringArray` is the strict reading.
 */
export function jsonForm(text: string): readonly string[] | undefined {
  const values = jsonArray(text);
  return values?.every((value) => typeof value === "string") ? (values as readonly string[]) : undefined;
}

/** As `jsonForm`, but throws a Fault for a JSON array of anything but strings. `from` is the text's offset in its logical line. */
export function stringArray(text: string, from: number): readonly string[] | undefined {
  const values = jsonArray(text);
  if (values?.some((value) => typeof value === "string" && value.includes("\0"))) {
    throw new Fault(
      "NUL_CHARACTER",
      "a NUL character stands in the JSON form: no path and no argument can have one",
      from,
      from + text.length,
    );
  }
  if (values === undefined || values.every((value) => typeof value === "string")) return values as readonly string[] | undefined;
  throw new Fault("INVALID_JSON_FORM", "the JSON form may hold strings only", from, from + text.length, {
    hint: 'put every element in double quotes: ["sleep", "5"]',
  });
}

function jsonArray(text: string): readonly unknown[] | undefined {
  if (!text.trimStart().startsWith("[")) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON means shell form: `[ -f x ] && y` is a command.
    return undefined;
  }
}
