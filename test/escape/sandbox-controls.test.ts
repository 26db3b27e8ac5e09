import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mutant } from "../support/mutant.ts";
import { needs } from "../support/needs.ts";
import { openSandboxes, ROOT, type Sandboxes } from "../support/sandbox/modes.ts";
import { ATTACKS, attackTools } from "./attacks.ts";
import { WITHOUT } from "./defences.ts";

let tools = "";
const isPossible = needs("root", "privateMounts", "userNamespaces", "subIds");

describe.each(Object.keys(WITHOUT) as (keyof typeof WITHOUT)[])("without the defences of the %s", isPossible, (name) => {
  let sandboxes: Sandboxes;
  beforeAll(async () => {
    tools ||= attackTools();
    sandboxes = await openSandboxes(ROOT, (await mutant(WITHOUT[name])).root);
  }, 180_000);
  afterAll(() => sandboxes?.close());

  for (const { name: attack, attempt, needs: wanted } of ATTACKS.filter(({ control }) => control === name)) {
    it(`the host is reached by ${attack}`, wanted === undefined ? {} : needs(wanted), async () => {
      expect(await attempt(sandboxes, tools), "the attack does nothing, and its test proves nothing").toBe(true);
    });
  }
});
