import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { helperPath } from "../../runtime-addon/index.ts";
import { busyboxTar } from "../support/bases.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { asUser, createUser, type TestUser } from "../support/users.ts";
import { bundleProgram } from "./bundled.ts";

/** A program that starts itself again as the worker; `body` is the asking side, where `worker` is the worker. */
function workerProgram(body: string, map = "runtime.readIdMap()"): string {
  const directory = temporaryDirectory("worker");
  const program = bundleProgram(
    directory,
    `const { readFileSync, chownSync, writeFileSync, statSync, rmSync } = await import("node:fs");
     const methods = {
       identity: () => ({ uid: process.getuid!(), gid: process.getgid!(), groups: process.getgroups!(), map: readFileSync("/proc/self/uid_map", "utf8").trim().split("\\n").map((line) => line.trim().split(/ +/).map(Number)), env: Object.keys(process.env).sort() }),
       own: ({ path, uid }: { path: string; uid: number }) => { writeFileSync(path, ""); chownSync(path, uid, uid); return statSync(path).uid; },
       remove: ({ path }: { path: string }) => rmSync(path, { recursive: true }),
       missing: () => readFileSync("/no/such"),
       refuse: () => { throw new runtime.TsbuildError("NO_WAY", "doing it: no way", { hint: "leave it" }); },
       bytes: ({ data }: { data: Uint8Array }) => data.map((byte) => byte + 1),
       die: () => { console.error("last words"); process.exit(9); },
       block: () => { const end = Date.now() + 60_000; while (Date.now() < end); },
       later: ({ ms, value }: { ms: number; value: string }) => new Promise((resolve) => setTimeout(resolve, ms, value)),
       cancelled: (_: undefined, { signal }: { signal: AbortSignal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("given up there")))),
     };
     if (args[0] === "as-worker") { runtime.serveNamespaceWorker(methods); await new Promise(() => {}); }
     const worker = await runtime.openNamespaceWorker<typeof methods>({ map: ${map}, script: process.argv[1]!, args: ["as-worker"], env: { ONLY: "this" } });
     try { ${body} } finally { await worker.close(); }`,
  );
  copyFileSync(helperPath(), join(directory, "runtime-addon/build/Release/tsb-init"));
  return program;
}

interface Outcome {
  readonly value?: unknown;
  readonly error?: { readonly code?: string; readonly syscall?: string; readonly path?: string };
}

async function outcome(user: TestUser, program: string, ...args: string[]): Promise<Outcome> {
  const { stdout, stderr } = await asUser(user, [user.node, program, ...args]);
  if (stdout === "") throw new Error(`the program said nothing: ${stderr}`);
  return JSON.parse(stdout) as Outcome;
}

describe("a namespace worker", needs("root", "privateMounts", "userNamespaces", "subIds"), () => {
  const ranged = needs("root", "privateMounts").skip ? undefined : createUser({ uid: 54_331, subIds: true });
  const single = needs("root", "privateMounts").skip ? undefined : createUser({ uid: 54_332, subIds: false });
  const user = (kind: "ranges" | "single"): TestUser => {
    const found = kind === "ranges" ? ranged : single;
    if (found === undefined) throw new Error("no user");
    return found;
  };

  it("of a user with sub-ids is root of a namespace with all of them", async () => {
    const { value } = await outcome(user("ranges"), workerProgram("return await worker.request('identity', undefined);"));
    expect(value).toEqual({
      uid: 0,
      gid: 0,
      groups: [0],
      map: [
        [0, 54_331, 1],
        [1, 3_000_000, 65_536],
      ],
      env: expect.arrayContaining(["ONLY"]),
    });
  });

  it("of a user without is root of a namespace with that user alone", async () => {
    const { value } = await outcome(user("single"), workerProgram("return await worker.request('identity', undefined);"));
    expect(value).toMatchObject({ uid: 0, gid: 0, map: [[0, 54_332, 1]] });
  });

  it("gives files to other owners, which only a range allows, and removes them again", async () => {
    const body = "const r = await worker.request('own', { path: args[0]!, uid: 33 }); return r;";
    const path = join(user("ranges").home, "owned");
    expect(await outcome(user("ranges"), workerProgram(body), path)).toEqual({ value: 33 });
    expect(statSync(path).uid).toBe(3_000_032);
    await outcome(user("ranges"), workerProgram("return await worker.request('remove', { path: args[0]! });"), path);
    expect(readdirSync(user("ranges").home)).not.toContain("owned");
    expect(await outcome(user("single"), workerProgram(body), join(user("single").home, "owned"))).toMatchObject({
      error: { code: "EINVAL", syscall: "chown" },
    });
  });

  it.each<[string, string, unknown]>([
    [
      "system errors with their fields",
      "await worker.request('missing', undefined);",
      { code: "ENOENT", syscall: "open", path: "/no/such", errno: -2 },
    ],
    ["errors of ours with their code", "await worker.request('refuse', undefined);", { code: "NO_WAY" }],
    ["the end of the worker", "await worker.request('die', undefined);", { code: "WORKER_LOST" }],
    [
      "a second request after its end",
      "await worker.request('die', undefined).catch(() => {}); await worker.request('identity', undefined);",
      { code: "WORKER_LOST" },
    ],
  ])("passes on %s", async (_name, body, error) => {
    expect((await outcome(user("single"), workerProgram(body))).error).toEqual(error);
  });

  it.each<[string, string, unknown]>([
    ["bytes as bytes", "return [...await worker.request('bytes', { data: Uint8Array.of(1, 2, 254) })];", [2, 3, 255]],
    [
      "several answers at once",
      "return await Promise.race([worker.request('later', { ms: 5000, value: 'slow' }), worker.request('later', { ms: 1, value: 'fast' })]);",
      "fast",
    ],
    [
      "the last words of a worker that dies",
      "return await worker.request('die', undefined).catch((error: Error) => error.message);",
      "namespace worker: ended with exit code 9\nlast words",
    ],
    [
      "the hint of an error",
      "return await worker.request('refuse', undefined).catch((error: runtime.TsbuildError) => [error instanceof runtime.TsbuildError, error.hint]);",
      [true, "leave it"],
    ],
    [
      "that a request is given up, which ends it there",
      "const ending = new AbortController(); const request = worker.request('cancelled', undefined, ending.signal); ending.abort('enough'); return await request.catch((reason: unknown) => reason);",
      "enough",
    ],
    [
      "that there is no such method",
      "return await (worker as runtime.NamespaceWorker).request('toString', 1).catch((error: Error) => error.message);",
      "namespace worker: there is no method toString",
    ],
  ])("passes on %s", async (_name, body, value) => {
    expect((await outcome(user("single"), workerProgram(body))).value).toEqual(value);
  });

  it("that is busy is killed when it is closed", async () => {
    const body =
      "const busy = worker.request('block', undefined).catch((error: runtime.SandboxError) => error.code); await new Promise((r) => setTimeout(r, 100)); const t = Date.now(); await worker.close(); return [await busy, Date.now() - t < 20_000];";
    expect((await outcome(user("single"), workerProgram(body))).value).toEqual(["WORKER_LOST", true]);
  });

  it("dies with the program that opened it", async () => {
    const body =
      "void worker.request('block', undefined).catch(() => {}); const { writeFileSync } = await import('node:fs'); writeFileSync(args[0]!, String(worker.pid)); process.kill(process.pid, 'SIGKILL'); await new Promise(() => {});";
    const file = join(user("single").home, "pid");
    const run = await asUser(user("single"), [user("single").node, workerProgram(body), file]);
    expect(run.code).toBe(137);
    const pid = readFileSync(file, "utf8");
    for (const deadline = Date.now() + 5_000; alive(pid); ) {
      if (Date.now() > deadline) throw new Error(`the worker ${pid} lives on`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });

  it("with ids that are not the user's is refused, with newuidmap's own words", async () => {
    const map =
      "{ ...runtime.readIdMap(), uid: [{ inside: 0, outside: process.getuid!(), count: 1 }, { inside: 1, outside: 100, count: 10 }] } as runtime.IdMap";
    const { value, error } = await outcome(user("ranges"), workerProgram("return 1;", map));
    expect([value, error?.code]).toEqual([undefined, "ID_MAP_REFUSED"]);
  });
});

describe("a sandbox of an ordinary user", needs("root", "privateMounts", "userNamespaces", "subIds"), () => {
  const sandboxBody = `
    const { mkdirSync } = await import("node:fs");
    const { execFileSync } = await import("node:child_process");
    const [home, tar, request] = args as [string, string, string];
    const changes = JSON.parse(request);
    for (const path of ["lower", "upper", "work"]) mkdirSync(home + "/" + changes.name + "/" + path, { recursive: true });
    const at = (path: string) => home + "/" + changes.name + "/" + path;
    execFileSync("tar", ["-xf", tar, "--no-same-owner", "-C", at("lower")]);
    for (const path of ["dev", "proc", "sys"]) mkdirSync(at("lower/" + path), { recursive: true });
    let out = "";
    const result = await runtime.runSandbox({
      root: { lowers: [at("lower")], upper: at("upper"), work: at("work") },
      userNamespace: { pid: worker.pid },
      network: changes.network ?? "host", hostname: "box", mounts: [], files: [],
      process: { args: ["sh", "-c", changes.script], env: { PATH: "/bin:/sbin:/usr/bin" }, cwd: "/", uid: 0, gid: 0, groups: [], ...changes.process },
    }, { stdin: "null", output: (chunk) => { out += Buffer.from(chunk).toString(); } });
    await worker.request("remove", { path: home + "/" + changes.name });
    return { status: result.status, out, skipped: result.skipped.map((error) => error.message) };`;

  let count = 0;
  async function run(subIds: boolean, request: { script: string; network?: string; process?: object }): Promise<Outcome> {
    const user = createUser({ uid: 54_340 + count++, subIds });
    const tar = join(user.etc, "busybox.tar");
    copyFileSync(busyboxTar(), tar);
    mkdirSync(join(user.etc, "x"));
    return outcome(user, workerProgram(sandboxBody), user.home, tar, JSON.stringify({ name: "box", ...request }));
  }

  it.each([
    ["host", "host"],
    ["no", "none"],
  ])("with sub-ids and %s network has every user, a terminal group and its own /proc and /sys", async (_name, network) => {
    const script = [
      "id -u",
      "touch /tmp/f && chown 33:44 /tmp/f && stat -c %u:%g /tmp/f",
      "mount | grep -c '^devpts.*gid=3000004'",
      "cat /proc/1/comm",
      "echo x > /dev/null && echo null",
      "{ echo x > /sys/kernel/profiling; } 2>&1 | grep -o Read-only",
      "su -s /bin/sh daemon -c 'id -u' 2>/dev/null || echo 1",
      "mknod /tmp/n c 1 3 2>&1 | grep -o 'not permitted'",
    ];
    expect((await run(true, { script: script.join("; "), network })).value).toMatchObject({
      status: { code: 0 },
      out: "0\n33:44\n1\ntsb:init\nnull\nRead-only\n1\nnot permitted\n",
    });
  });

  it("with sub-ids runs a command as any user with its groups", async () => {
    const { value } = await run(true, {
      script: "id -u; id -g; id -G; echo x > /dev/stdout",
      process: { uid: 1000, gid: 1000, groups: [1000, 27] },
    });
    expect(value).toMatchObject({ status: { code: 0 }, out: "1000\n1000\n1000 27\nx\n" });
  });

  it("with a single id is root and nobody else", async () => {
    const { value } = await run(false, {
      script:
        "id -u; cat /proc/self/uid_map; touch /tmp/f && chown 33 /tmp/f 2>&1 | grep -o 'Invalid argument'; rm /bin/sh && test ! -e /bin/sh && echo gone",
    });
    expect(value).toMatchObject({ status: { code: 0 } });
    expect((value as { out: string }).out.split("\n").map((line) => line.trim().replace(/ +/g, " "))).toEqual([
      "0",
      expect.stringMatching(/^0 5434\d 1$/),
      "Invalid argument",
      "gone",
      "",
    ]);
  });

  it("with a single id cannot become another user, and says so", async () => {
    expect((await run(false, { script: "true", process: { uid: 33, gid: 33 } })).error).toMatchObject({ code: "ID_NOT_MAPPED" });
    expect((await run(false, { script: "true", process: { groups: [27] } })).error).toMatchObject({ code: "ID_NOT_MAPPED" });
  });
});

function alive(pid: string): boolean {
  try {
    // A zombie is dead; who reaps it is the machine's first process.
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
