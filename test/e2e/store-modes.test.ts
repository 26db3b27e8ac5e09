import { beforeAll, describe, expect, it } from "vitest";
import { importBusybox } from "../support/bases.ts";
import { CLI_PATH, temporaryStore } from "../support/cli.ts";
import { command } from "../support/command.ts";
import { contextDirectory } from "../support/context.ts";
import { needs } from "../support/needs.ts";

const store = temporaryStore();

beforeAll(() => importBusybox({ store }));

describe("a store that is made and used under umask 000", needs("sandbox"), () => {
  it("has nothing that others may write, but for the files of images", async () => {
    const fresh = temporaryStore();
    const context = contextDirectory({ Dockerfile: "FROM base\nRUN echo x > /x\n", file: "x" });
    const script = `umask 000
save() { "$NODE" -- "$CLI" "$@"; }
TSBUILD_ROOT=${store} save save busybox -o ${context}/base.tar
export TSBUILD_ROOT=${fresh}
save load ${context}/base.tar && save tag busybox base && save -q -t app ${context} && save run --network none --keep k app true
find "$TSBUILD_ROOT" -path '*/fs/*' -prune -o -path '*/upper' -prune -o ! -type l -perm /022 -print`;
    const { code, stdout, stderr } = await command(["sh", "-ec", script], {
      env: { ...process.env, NODE: process.execPath, CLI: CLI_PATH },
    });
    expect(code, stderr).toBe(0);
    expect(stdout.split("\n").filter((line) => line.startsWith("/"))).toEqual([]);
  });
});
