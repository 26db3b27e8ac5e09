import { describe, expect, it } from "vitest";
import { childChain } from "../../../builder/plan/key.ts";
import { detached } from "../../../builder/steps/detached.ts";
import type { Files, StepContext } from "../../../builder/steps/step.ts";
import { directoryEntry, fileEntry } from "../../store/layer/samples.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { file, makeTree } from "../../support/tree.ts";
import { copyFrom, copyOperation, filesOf, noFiles, stepContext, temporaryStore } from "./step-context.ts";

/** A base that must not be looked at. */
const untouched = (context: StepContext): StepContext => ({
  ...context,
  rootfs: (layers) => {
    if (layers.length > 0) throw new Error("the layers below were looked at");
    return context.rootfs(layers);
  },
});

const elsewhere: Files = { layers: noFiles.layers, chain: childChain(noFiles.chain, noFiles.chain) };

async function context(): Promise<string> {
  const root = temporaryDirectory("context");
  await makeTree(root, { f: file("text") });
  return root;
}

describe("COPY --link", () => {
  it("is the same step on any base, and looks at none", async () => {
    await using store = await temporaryStore();
    const base = await filesOf(store, [directoryEntry("t", { mode: 0o700 })]);
    const step = untouched(stepContext(store));
    const asked = copyOperation({ sources: ["f"], target: "/t/", chown: "7:8", link: true });
    const root = await context();
    const outcomes = [];
    for (const files of [base, elsewhere, noFiles]) {
      const { operation, files: onto } = await detached(asked, files, step);
      outcomes.push(await copyFrom(root, operation, step, { files: onto }));
    }
    expect(outcomes.map(({ cached }) => cached)).toEqual([false, true, true]);
    expect(new Set(outcomes.map(({ layer }) => layer.diffId)).size).toBe(1);
    const { entries } = await store.layers.tree(outcomes[0]?.layer.diffId ?? base.chain);
    expect(entries.map((entry) => "mode" in entry && [entry.path, entry.mode, entry.uid, entry.gid])).toEqual([
      ["t", 0o755, 7, 8],
      ["t/f", 0o644, 7, 8],
    ]);
  });

  it("takes a named owner's numbers from the base, so that another base with other numbers is another step", async () => {
    await using store = await temporaryStore();
    const withUser = (uid: number) =>
      filesOf(store, [
        directoryEntry("etc"),
        fileEntry("etc/passwd", `app:x:${uid}:${uid}::/:/bin/sh\n`),
        fileEntry("etc/group", "team:x:50:\n"),
      ]);
    const asked = copyOperation({ sources: ["f"], chown: "app:team", link: true });
    const one = await detached(asked, await withUser(10), stepContext(store));
    const two = await detached(asked, await withUser(11), stepContext(store));
    expect([one.operation.chown, two.operation.chown]).toEqual(["10:50", "11:50"]);
    expect(one.files).toEqual(noFiles);
  });

  it("fails for a name that the base does not have", async () => {
    await using store = await temporaryStore();
    const files = await filesOf(store, [directoryEntry("etc")]);
    const asked = copyOperation({ sources: ["f"], chown: "nobody-here", link: true });
    await expect(detached(asked, files, stepContext(store))).rejects.toMatchObject({ code: "UNKNOWN_USER" });
  });
});
