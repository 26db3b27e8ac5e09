import { beforeAll, describe, expect, it } from "vitest";
import { importBusybox } from "../support/bases.ts";
import { CLI_PATH, mustTsbuild, temporaryStore } from "../support/cli.ts";
import { command } from "../support/command.ts";
import { needs } from "../support/needs.ts";

const store = temporaryStore();

beforeAll(() => importBusybox({ store }));

/** What a shell makes of it: `tsbuild` is the built program; the last line of the output are the pipeline's exit codes. */
async function piped(pipeline: string): Promise<{ codes: string | undefined; stderr: string }> {
  const script = `tsbuild() { '${process.execPath}' -- '${CLI_PATH}' "$@"; }; ${pipeline}; echo "\${PIPESTATUS[*]}"`;
  const { stdout, stderr } = await command(["bash", "-c", script], { env: { ...process.env, TSBUILD_ROOT: store, NO_COLOR: "1" } });
  return { codes: stdout.trimEnd().split("\n").at(-1), stderr };
}

const noReader = "error: writing the archive: write EPIPE [WRITE_FAILED]\n  hint: what was to read it has ended\n";

describe("without a reader of its output", () => {
  it("a command that lists does what it does", async () => {
    expect(await piped("tsbuild images | true")).toEqual({ codes: "0 0", stderr: "" });
  });

  it.each([
    ["save", "tsbuild save busybox | true"],
    ["export", "tsbuild export busybox | true"],
    ["a build's archive", "printf 'FROM busybox\\nLABEL a=b' | tsbuild -q -o - - | true"],
  ])("%s fails", async (_name, pipeline) => {
    const { codes, stderr } = await piped(pipeline);
    expect(stderr).toBe(noReader);
    expect(codes).toMatch(/^(0 )?1 0$/);
  });

  it("a build fails as it would", async () => {
    const { codes } = await piped("printf 'FROM busybox\\nCOPY none /' | tsbuild - 2>&1 | true");
    expect(codes).toBe("0 1 0");
  });
});

describe("a container without a reader of its output", needs("sandbox"), () => {
  it("gets SIGPIPE, and its code is passed on", async () => {
    const { codes, stderr } = await piped("tsbuild run busybox sh -c 'yes; echo \"yes: $?\" >&2; exit 4' | head -1");
    expect([codes, stderr]).toEqual(["4 0", "yes: 141\n"]);
  });

  it("that is kept has ended", async () => {
    expect((await piped("tsbuild run --keep work busybox yes | head -1")).codes).toBe("141 0");
    const [row] = JSON.parse(await mustTsbuild(["ps", "--format", "json"], { store }));
    expect(row.state).toMatchObject({ kind: "exited", exitCode: 141 });
  });

  it("that is kept has ended where its output could not be written, too", async () => {
    const { codes, stderr } = await piped("tsbuild run --keep full busybox sh -c 'echo made >/made; echo out; sleep 60' >/dev/full");
    expect([codes, stderr]).toEqual(["125", expect.stringMatching(/^error: writing to stdout: ENOSPC: .* \[WRITE_FAILED\]\n/)]);
    const rows = JSON.parse(await mustTsbuild(["ps", "--format", "json"], { store }));
    expect(rows.find(({ name }: { name: string }) => name === "full").state).toMatchObject({ kind: "exited", exitCode: 137 });
    await mustTsbuild(["commit", "full", "made"], { store });
    expect(await mustTsbuild(["run", "made", "cat", "/made"], { store })).toBe("made\n");
  });

  it("with errors only still prints what it prints", async () => {
    const { codes } = await piped("tsbuild run busybox sh -c 'yes >&2; echo out' 2> >(true)");
    expect(codes).toBe("0");
  });
});
