import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { tsbuild } from "../support/cli.ts";
import { contextDirectory } from "../support/context.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { createUser } from "../support/users.ts";

describe("what an ordinary user may not read", needs("root"), () => {
  it("is named: the context itself, or its .dockerignore", async () => {
    const user = createUser({ uid: 4_127, subIds: false });
    const outer = temporaryDirectory("unreadable");
    chmodSync(outer, 0o755);
    const closed = join(outer, "closed");
    mkdirSync(closed, { mode: 0 });
    const built = await tsbuild([closed], { user, env: { HOME: user.home } });
    expect([built.code, built.stderr]).toEqual([
      2,
      expect.stringMatching(/^error: opening the build context .*\/closed: this user may not look into it \[CONTEXT_UNREADABLE\]\n/),
    ]);
    const context = contextDirectory({ Dockerfile: "FROM scratch\nCOPY . /\n", ".dockerignore": "x\n" });
    chmodSync(context, 0o755);
    chmodSync(join(context, ".dockerignore"), 0);
    expect((await tsbuild([context], { user, env: { HOME: user.home } })).stderr).toMatch(/\.dockerignore: .*\[IGNORE_FILE_UNREADABLE\]\n/);
  });
});
