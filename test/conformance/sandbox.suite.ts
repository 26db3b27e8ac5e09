import { mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { needs } from "../support/needs.ts";
import { processesWith } from "../support/processes-with.ts";
import { type ModeChanges, openSandboxes, type Sandboxes, type SandboxMode } from "../support/sandbox/modes.ts";
import { ON_SLOW_MACHINE } from "../support/slow-machine.ts";

/** What a sandbox is like from inside and outside, in whatever way it is made. */
export function describeSandbox(mode: SandboxMode): void {
  describe(`a sandbox of ${mode.name}`, needs("root", "privateMounts", "userNamespaces", "subIds"), () => {
    let sandboxes: Sandboxes;
    beforeAll(async () => {
      sandboxes = await openSandboxes(mode);
    });
    afterAll(() => sandboxes?.close());
    afterEach(() => {
      expect(sleepers()).toEqual([]);
    });

    const run = (script: string, changes: ModeChanges = {}) => sandboxes.run(script, changes);
    const shown = async (script: string, changes: ModeChanges = {}) => linesOf((await run(script, changes)).stdout);
    const hasManyIds = mode.user?.subIds !== false;

    describe("its command", () => {
      it.each([
        ["success", "exit 0", { code: 0 }],
        ["its own code", "exit 7", { code: 7 }],
        ["the largest code", "exit 255", { code: 255 }],
        ["127 of its own", "exit 127", { code: 127 }],
        ["a signal", "kill -TERM $$", { signal: 15 }],
        ["a signal that kills", "kill -9 $$", { signal: 9 }],
        ["a code that only looks like a signal", "exit 137", { code: 137 }],
      ])("ends with %s", async (_name, script, status) => {
        expect((await run(script)).status).toEqual(status);
      });

      it.each<[string, ModeChanges["process"], string, RegExp]>([
        ["is not in PATH", { args: ["nothing-of-the-kind"] }, "COMMAND_NOT_FOUND", /^running nothing-of-the-kind: not found/],
        ["is an empty word", { args: [""] }, "COMMAND_NOT_FOUND", /not found/],
        ["is not at its path", { args: ["/bin/gone"] }, "COMMAND_NOT_FOUND", /^running \/bin\/gone: not found/],
        ["is a directory", { args: ["/etc"] }, "COMMAND_NOT_EXECUTABLE", /^running \/etc: cannot be executed: EACCES/],
        ["has too long an argument", { args: ["true", "x".repeat(200_000)] }, "COMMAND_NOT_EXECUTABLE", /too long: E2BIG/],
        [
          "has no directory",
          { args: ["true"], cwd: "/no/such" },
          "WORKING_DIRECTORY",
          /^entering working directory \/no\/such: ENOENT, chdir$/,
        ],
      ])("that %s is told from one that fails", async (_name, process = {}, code, message) => {
        await expect(run("", { process })).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
      });

      it("that is a script without an interpreter is not fed to a shell", async () => {
        const lower = sandboxes.directory();
        writeFileSync(join(lower, "script"), "echo surprise\n", { mode: 0o755 });
        sandboxes.own(lower);
        await expect(run("", { lowers: [lower], process: { args: ["/script"] } })).rejects.toMatchObject({
          code: "COMMAND_NOT_EXECUTABLE",
          message: "running /script: not a program for this machine, nor a script with #!: ENOEXEC, execve",
        });
      });

      it("has exactly the given environment, directory and umask", async () => {
        const env = { PATH: "/bin:/usr/bin", EMPTY: "", "WITH SPACE": "a=b\nc", UNICODE: "ü" };
        const { stdout } = await run("", { process: { args: ["env"], env, cwd: "/tmp" } });
        expect(stdout).toBe("PATH=/bin:/usr/bin\nEMPTY=\nWITH SPACE=a=b\nc\nUNICODE=ü\n");
        expect((await run("", { process: { args: ["env"], env: {} } })).stdout).toBe("");
        expect(await shown("pwd; umask", { process: { cwd: "/tmp" } })).toEqual(["/tmp", "0022"]);
        expect(await shown("umask", { process: { umask: 0o077 } })).toEqual(["0077"]);
      });

      it("has stdin, stdout, stderr and nothing else open, and an empty stdin", async () => {
        // The glob itself is fd 3, while it is read.
        const open = await shown("for fd in /proc/self/fd/*; do readlink $fd; done | sort");
        expect(open.map((line) => line.replace(/\[.*/, ""))).toEqual(["/dev/null", "pipe:", "pipe:"]);
        expect(await shown("cat | wc -c")).toEqual(["0"]);
      });

      it("has no signal ignored or blocked", async () => {
        // Not through the shell, which ignores SIGQUIT.
        const args = ["grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status"] as const;
        const none = "0000000000000000";
        expect(await shown("", { process: { args } })).toEqual([`SigBlk:\t${none}`, `SigIgn:\t${none}`, `SigCgt:\t${none}`]);
        expect((await run("yes | head -n 1; echo ok")).stdout).toBe("y\nok\n");
      });

      it("writes 10 MB on one stream and 1 MB on the other, each in its order", async () => {
        const count = ON_SLOW_MACHINE ? 150_000 : 1_500_000;
        const { stdout, stderr } = await run(`seq 1 ${count / 10} >&2 & seq 1 ${count}; wait`);
        expect([stdout === numbers(count), stderr === numbers(count / 10)]).toEqual([true, true]);
      });

      it("has the user's ids and no others", async () => {
        expect(await shown("id -u; id -g; id -G")).toEqual(["0", "0", expect.stringMatching(/^0( 65534)*$/)]);
        const changes = { process: { uid: 1000, gid: 2000, groups: [2000, 3000, 4000] } };
        if (hasManyIds) expect(await shown("id -u; id -g; id -G", changes)).toEqual(["1000", "2000", "2000 3000 4000"]);
        else await expect(run("id", changes)).rejects.toMatchObject({ code: "ID_NOT_MAPPED" });
      });

      it.each<[string, ModeChanges["process"], string]>([
        ["as root Docker's fourteen", {}, "a80425fb"],
        ["as root without any none", { capabilities: [] }, "0"],
        ["as root with two those", { capabilities: ["CAP_CHOWN", "net_bind_service"] }, "401"],
      ])("has %s for its capabilities", async (_name, process = {}, set) => {
        const sets = await shown("grep -E '^Cap(Inh|Prm|Eff|Bnd|Amb)|^NoNewPrivs|^Seccomp:' /proc/self/status", { process });
        const values = Object.fromEntries(sets.map((line) => [line.split(":")[0], line.split("\t")[1]?.replace(/^0+(?=.)/, "")]));
        expect(values).toEqual({ CapInh: "0", CapPrm: set, CapEff: set, CapBnd: set, CapAmb: "0", NoNewPrivs: "0", Seccomp: "2" });
      });

      it("has few descriptors at first, and the limits that are given", async () => {
        const rlimits = { nofile: { soft: 100, hard: 200 }, core: { soft: 0, hard: 0 } };
        expect(await shown("ulimit -Sn")).toEqual(["1024"]);
        expect(await shown("ulimit -Sn; ulimit -Hn; ulimit -Sc", { process: { rlimits } })).toEqual(["100", "200", "0"]);
      });

      it("is measured", async () => {
        const { usage } = await run("head -c 5000000 /dev/zero | md5sum");
        expect(usage.cpuMs).toBeGreaterThan(1);
        expect(usage.peakMemoryBytes).toBeGreaterThan(100_000);
      });
    });

    describe("its processes", () => {
      // One in the background, one in a session of its own, and daemons that ignore signals.
      const family = `sleep ${SECONDS} & setsid sleep ${SECONDS} & (setsid sh -c 'trap "" TERM HUP; sleep ${SECONDS} & sleep ${SECONDS}' &) & `;
      const asleep = `until [ $(cat /proc/[0-9]*/comm | grep -c '^sleep$') -ge 4 ]; do usleep 10000; done; echo asleep; `;

      it("are dead when the command ends", async () => {
        expect((await run(`${family}${asleep}exit 3`)).status).toEqual({ code: 3 });
        expect(sleepers()).toEqual([]);
      });

      it("are dead when it is aborted: sessions of their own, daemons, and what ignores signals", async () => {
        const abort = { when: "asleep", graceMs: 100 };
        await expect(run(`trap "" TERM; ${family}${asleep}sleep ${SECONDS}`, { abort })).rejects.toThrow("aborted");
        expect(sleepers()).toEqual([]);
      });

      it("that lost their parents are reaped", async () => {
        const orphans = "i=0; while [ $i -lt 20 ]; do (sh -c : &); i=$((i+1)); done";
        const script = `${orphans}; while grep -q '^State:.Z' /proc/[0-9]*/status 2>/dev/null; do usleep 10000; done; echo reaped`;
        expect(await shown(script)).toEqual(["reaped"]);
      });

      it("are all that can be seen, and the first one cannot be looked into", async () => {
        const places = ["environ", "root", "cwd", "exe", "fd/4"].map((name) => `readlink /proc/1/${name} || cat /proc/1/${name}`);
        const script = ["for p in /proc/[0-9]*; do cat $p/comm; done", ...places, "head -c 1 /proc/1/mem"].join("; ");
        expect(await shown(`{ ${script}; } 2>/dev/null; tr '\\0' ' ' < /proc/1/cmdline`)).toEqual(["tsb:init", "sh", "tsb-init "]);
      });
    });

    describe("its surroundings", () => {
      it("have no mounts of the host, and nothing propagates", async () => {
        const mounts = (await shown("cat /proc/self/mountinfo")).map((line) => line.split(" "));
        const types = new Set(mounts.map((fields) => fields[fields.indexOf("-") + 1]));
        const own = ["cgroup", "cgroup2", "devpts", "mqueue", "overlay", "proc", "sysfs", "tmpfs"];
        const others = [...types].filter((type) => !own.includes(type ?? ""));
        // A copy lies on the store's own file system; where no device files can be made, those of the host are bound.
        const rootType = mounts.find((fields) => fields[4] === "/")?.at(-3);
        expect(others.filter((type) => type !== rootType && type !== "devtmpfs")).toEqual([]);
        expect(mounts.filter((fields) => fields.slice(6, fields.indexOf("-")).length > 0)).toEqual([]);
      });

      it("have no sockets and no interfaces of the host", async () => {
        expect(await shown("tail -n +2 /proc/net/unix | wc -l; ls /sys/class/net; cat /sys/class/net/lo/flags")).toEqual([
          "0",
          "lo",
          "0x9",
        ]);
      });

      it("have the given host name, and the host keeps its own", async () => {
        const before = readFileSync("/proc/sys/kernel/hostname", "utf8");
        expect(await shown("hostname; hostname intruder 2>/dev/null; hostname", { hostname: "tsbuild" })).toEqual(["tsbuild", "tsbuild"]);
        expect(readFileSync("/proc/sys/kernel/hostname", "utf8")).toBe(before);
      });

      it("have a /dev that works, and a /dev/shm of the given size", async () => {
        const script =
          "echo x > /dev/null; head -c 4 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c; df -k /dev/shm | tail -n 1 | awk '{print $2}'";
        expect(await shown(script, { shmSizeBytes: 1024 * 1024 })).toEqual(["4", "4", "1024"]);
      });
    });

    describe("its root", () => {
      it("may have many layers, the topmost of which counts", async () => {
        const lowers = Array.from({ length: 60 }, (_, i) => {
          const lower = sandboxes.directory();
          mkdirSync(join(lower, "layers"));
          writeFileSync(join(lower, "layers", String(i)), "");
          writeFileSync(join(lower, "top"), `${i}\n`);
          sandboxes.own(lower);
          return lower;
        });
        expect(await shown("ls /layers | wc -l; cat /top", { lowers })).toEqual(["60", "0"]);
      });

      it("takes what the command writes, and the layers stay as they are", async () => {
        const lower = sandboxes.directory();
        writeFileSync(join(lower, "changed"), "before\n");
        writeFileSync(join(lower, "removed"), "");
        sandboxes.own(lower);
        const { upper } = await run("echo after > /changed; rm /removed; echo new > /new", { lowers: [lower] });
        expect([readFileSync(join(upper, "changed"), "utf8"), readFileSync(join(upper, "new"), "utf8")]).toEqual(["after\n", "new\n"]);
        expect([readFileSync(join(lower, "changed"), "utf8"), readdirSync(lower).sort()]).toEqual(["before\n", ["changed", "removed"]]);
      });

      it("says what mount points were made in it, and their directory keeps its time", async () => {
        const lower = sandboxes.directory();
        const source = sandboxes.directory();
        mkdirSync(join(lower, "data"));
        sandboxes.own(lower);
        utimesSync(join(lower, "data"), 1_000_000_000, 1_000_000_000);
        const mounts = [{ kind: "bind", source, target: "/data/a/b", readOnly: true } as const];
        const { created, upper, stdout } = await run("stat -c %Y /data; touch /data/a/b/x 2>&1", { lowers: [lower], mounts });
        expect(created).toEqual(["/data/a", "/data/a/b"]);
        expect(linesOf(stdout)).toEqual(["1000000000", "touch: /data/a/b/x: Read-only file system"]);
        expect(statSync(join(upper, "data")).mtimeMs).toBe(1_000_000_000_000);
        expect(readdirSync(source)).toEqual([]);
      });
    });
  });
}

/** A number that only this process's sleeping commands have. */
const SECONDS = String(300_000 + (process.pid % 100_000));

const sleepers = (): string[] => processesWith(SECONDS);

function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

/** What seq(1) prints from 1 on. */
function numbers(last: number): string {
  return `${Array.from({ length: last }, (_, i) => i + 1).join("\n")}\n`;
}
