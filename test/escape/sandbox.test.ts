import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { needs } from "../support/needs.ts";
import { openSandboxes, SANDBOX_MODES, type Sandboxes } from "../support/sandbox/modes.ts";
import { ATTACKS, attackTools, canAttack } from "./attacks.ts";

let tools = "";
const isPossible = needs("root", "privateMounts", "userNamespaces", "subIds");

describe.each(SANDBOX_MODES)("from a sandbox of $name", isPossible, (mode) => {
  let sandboxes: Sandboxes;
  beforeAll(async () => {
    tools ||= attackTools();
    sandboxes = await openSandboxes(mode);
    expect(await canAttack(sandboxes, tools)).toBe(true);
  });
  afterAll(() => sandboxes?.close());

  // An ordinary user is given groups by others, if at all.
  const possible = ATTACKS.filter(({ needs }) => needs !== "cgroups" || mode.user === undefined);
  for (const { name, attempt, needs: wanted } of possible) {
    it(`nothing outside is reached by ${name}`, wanted === undefined ? {} : needs(wanted), async () => {
      expect(await attempt(sandboxes, tools), "THE SANDBOX CAN BE ESCAPED").toBe(false);
    });
  }
});
