import { spawn } from "node:child_process";
import { once } from "node:events";
import { beforeEach, describe, expect, it } from "vitest";
import { importBusybox } from "../support/bases.ts";
import { CLI_PATH, mustTsbuild, temporaryStore, tsbuild } from "../support/cli.ts";
import { needs } from "../support/needs.ts";

const store = temporaryStore();

function cli(...args: string[]) {
  return tsbuild(args, { store });
}

beforeEach(() => importBusybox({ store }));

describe("a container that is kept", needs("sandbox"), () => {
  it("is listed, becomes an image, keeps its layers through prune, and goes with rm", async () => {
    const script = "echo made > /made; rm /etc/group; chown 7:8 /made; exit 3";
    const ran = await cli("run", "--keep", "work", "-e", "TOKEN=hidden", "-w", "/tmp", "-u", "0", "busybox", "sh", "-c", script);
    expect(ran).toEqual({ code: 3, stdout: "", stderr: "" });

    const [row] = JSON.parse((await cli("ps", "--format", "json")).stdout);
    expect(row).toMatchObject({ name: "work", image: "busybox", args: ["sh", "-c", script], state: { kind: "exited", exitCode: 3 } });
    expect((await cli("ps")).stdout).toMatch(
      /^NAME +IMAGE +COMMAND +CREATED +STATE +SIZE\nwork +busybox +sh -c .* seconds? ago +exited \(3\) +[\d.]+ kB\n$/,
    );

    const twice = await cli("run", "--keep", "work", "busybox", "true");
    expect([twice.code, twice.stderr]).toEqual([
      125,
      "error: keeping the container work: there is one of that name [CONTAINER_EXISTS]\n  hint: tsbuild rm work removes it, tsbuild commit work IMAGE makes an image of it\n",
    ]);

    const gone = await cli("rmi", "busybox");
    expect(gone.stderr).toContain("note: its layers stay for the kept containers work: tsbuild rm removes them\n");
    await mustTsbuild(["prune", "--all", "--force"], { store });
    const usage = JSON.parse((await cli("df", "--format", "json")).stdout);
    expect(usage.kinds.find(({ kind }: { kind: string }) => kind === "containers")).toMatchObject({ count: 1, reclaimableBytes: 0 });

    const id = (await mustTsbuild(["commit", "-m", "by hand", "-a", "me", "-c", "ENV A=1", "work", "app:try"], { store })).trim();
    const image = JSON.parse(await mustTsbuild(["inspect", "app:try"], { store }));
    const text = JSON.stringify(image);
    expect((Array.isArray(image) ? image[0] : image).config).toMatchObject({ Cmd: ["sh", "-c", script], WorkingDir: "/tmp", User: "0" });
    for (const part of [id, "A=1", "by hand", '"me"', `sh -c ${script}`]) expect(text).toContain(part);
    expect(text).not.toContain("hidden");
    expect((await cli("run", "app:try", "sh", "-c", "cat /made; stat -c %u:%g /made; ls /etc/group")).stdout).toBe("made\n7:8\n");

    // Once more: the container is as it was.
    await mustTsbuild(["commit", "work", "again"], { store });
    expect((await cli("rm", "work", "other")).stderr).toBe(
      'error: looking for the container "other": none of that name is kept [NOT_FOUND]\n  hint: tsbuild ps lists them; tsbuild run --keep NAME IMAGE keeps one\n',
    );
    expect((await cli("ps", "-q")).stdout).toBe("");
    expect((await cli("verify")).code).toBe(0);
  });

  it("is none whose command never started, and none with a name that leads elsewhere", async () => {
    expect((await cli("run", "--keep", "x", "busybox", "no-such-command")).code).toBe(127);
    const noSuchPort = await cli("run", "--keep", "x", "--network", "host", "-p", "127.0.0.1:5000:5001/udp", "busybox", "true");
    expect([noSuchPort.code, noSuchPort.stderr]).toEqual([125, expect.stringContaining("[UNSUPPORTED_PORT]")]);
    expect((await cli("ps", "-q")).stdout).toBe("");
    const outside = await cli("run", "--keep", "../x", "busybox", "true");
    expect([outside.code, outside.stderr]).toEqual([125, expect.stringContaining('naming the container "../x": a name has letters')]);
    expect((await cli("rm", "..")).stderr).toContain("[INVALID_VALUE]");
    expect((await cli("run", "--rm", "--keep", "x", "busybox", "true")).stderr).toContain("[INVALID_VALUE]");
  });

  it("survives a killed tsbuild, with all that was written, and cannot be taken while it runs", async () => {
    const words = ["run", "--keep", "lost", "busybox", "sh", "-c", "echo kept > /kept; echo up; sleep 60"];
    const child = spawn(process.execPath, ["--", CLI_PATH, ...words], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, TSBUILD_ROOT: store },
    });
    await once(child.stdout, "data");
    expect((await cli("ps")).stdout).toMatch(/^NAME[^\n]*\nlost .* running +[\d.]+ k?B\n$/);
    expect((await cli("rm", "lost")).stderr).toContain(
      "taking the container lost: it is running, or another tsbuild works on it [CONTAINER_RUNNING]",
    );
    child.kill("SIGKILL");
    await once(child, "close");
    expect((await cli("ps")).stdout).toContain(" lost ");
    await mustTsbuild(["commit", "-c", 'CMD ["cat", "/kept"]', "lost", "found"], { store });
    expect((await cli("run", "found")).stdout).toBe("kept\n");
    await mustTsbuild(["rm", "lost"], { store });
  });

  it("ends for rm --force, which hands its name and files back", async () => {
    const words = ["run", "--keep", "busy", "busybox", "sh", "-c", "trap '' TERM INT; echo up; while :; do sleep 60; done"];
    const child = spawn(process.execPath, ["--", CLI_PATH, ...words], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, TSBUILD_ROOT: store },
    });
    const ended = once(child, "close");
    await once(child.stdout, "data");
    const [row] = JSON.parse((await cli("ps", "--format", "json")).stdout);
    expect(row).toMatchObject({ name: "busy", state: { kind: "running", pid: child.pid } });
    expect((await cli("rm", "busy")).stderr).toContain(`hint: end its command first: kill ${child.pid}, or tsbuild rm --force busy\n`);
    expect(await cli("rm", "-f", "busy", "none")).toEqual({ code: 0, stdout: "busy\n", stderr: "" });
    expect(await ended).toEqual([137, null]);
    expect((await cli("ps", "-q")).stdout).toBe("");
  });
});
