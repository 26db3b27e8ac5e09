import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CHECKOUT } from "../support/cli.ts";
import { ATTACKS } from "./attacks.ts";

/** The rows of the table of attacks: the attack, and the file that has it. */
const ROWS = readFileSync(join(CHECKOUT, ".github/SECURITY.md"), "utf8")
  .split("\n")
  .flatMap((line) => {
    const [, attack, file] = /^\| ([^|]+) \|.*\| `(test\/[^`]+)` \|$/.exec(line) ?? [];
    return attack === undefined || file === undefined ? [] : [{ attack, file }];
  });

describe("the table of attacks in SECURITY.md", () => {
  it.each(ROWS)("has a test for $attack", ({ attack, file }) => {
    expect(readFileSync(join(CHECKOUT, file), "utf8")).toContain(`"${attack}"`);
  });

  it("has every attack that is tried from inside a sandbox", () => {
    expect(ROWS.map(({ attack }) => attack)).toEqual(expect.arrayContaining(ATTACKS.map(({ name }) => name)));
  });
});
