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

  it.each(ATTACKS.filter(({ control }) => control === name))("the host is reached by $name", async ({ attempt, needs: wanted }) => {
    if (wanted !== undefined && needs(wanted).skip) return;
    expect(await attempt(sandboxes, tools), "the attack does nothing, and its test proves nothing").toBe(true);
  });
});
