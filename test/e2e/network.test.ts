import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { importBusybox } from "../support/bases.ts";
import { CLI_PATH, temporaryStore, tsbuild } from "../support/cli.ts";
import { command } from "../support/command.ts";
import { contextDirectory } from "../support/context.ts";
import { descendants } from "../support/descendants.ts";
import { needs } from "../support/needs.ts";
import { freePort, whileServing } from "../support/serve.ts";

const store = temporaryStore();
const server = createServer((_request, response) => response.end("from the host\n"));
let url = "";

beforeAll(async () => {
  await importBusybox({ store });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});

afterAll(() => new Promise<void>((done) => void server.close(() => done())));

const run = (...args: string[]) => tsbuild(["run", ...args], { store });
/** What the server at a port of an address (or of the name's in /etc/hosts) says. */
const asking = (host: string, port: string): string[] => {
  const script = `address=$(awk '$2 == "${host}" { print $1 }' /etc/hosts); printf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout 3 nc "\${address:-${host}}" ${port} | grep -m 1 "from the host"`;
  return ["busybox", "sh", "-c", script];
};

describe("a network of its own", needs("sandbox", "isolatedNetwork"), () => {
  it("has an interface of its own, and says nothing about it", async () => {
    const { code, stdout, stderr } = await run("--network", "isolated", "busybox", "cat", "/proc/net/dev");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout.match(/^ *\w+:/gm)).toHaveLength(2);
  });

  it("keeps a command from a server on the host's loopback, which it reaches on the host's network", async () => {
    const { port } = new URL(url);
    expect((await run("--network", "isolated", ...asking("127.0.0.1", port))).code).not.toBe(0);
    expect(await run("--network", "host", ...asking("127.0.0.1", port))).toMatchObject({ code: 0, stdout: "from the host\n" });
  });

  it("leads to what listens on the host's loopback where host-gateway was asked for", async () => {
    const { port } = new URL(url);
    const args = ["--network", "isolated", "--add-host", "db:host-gateway", ...asking("db", port)];
    expect(await run(...args)).toMatchObject({ code: 0, stdout: "from the host\n" });
  });

  it.each([
    ["no capabilities", ["--cap-drop", "ALL"], false],
    ["the default ones", [], false],
    ["NET_ADMIN", ["--cap-add", "NET_ADMIN"], true],
  ])("gives a command with %s what it was given in it, and nothing by the id of the namespace's maker", async (_name, args, allowed) => {
    const attempts = "ip addr add 203.0.113.7/32 dev lo && echo address; ip link set lo mtu 1400 && echo mtu";
    const { stdout } = await run("--network", "isolated", ...args, "busybox", "sh", "-c", `id -u; ${attempts}`);
    expect(stdout).toBe(allowed ? "0\naddress\nmtu\n" : "0\n");
  });

  it("publishes a port", async () => {
    const port = await freePort();
    const serving = "mkdir -p /www && echo inside > /www/index.html && exec httpd -f -h /www -p 80";
    const args = ["--network", "isolated", "-p", `127.0.0.1:${port}:80`, "busybox", "sh", "-c", serving];
    const at = `http://127.0.0.1:${port}/`;
    await whileServing(args, store, at, async () => expect(await (await fetch(at)).text()).toBe("inside\n"));
  });

  it("publishes a port as a free one of the host, and says which", async () => {
    const { code, stderr } = await run("--network", "isolated", "-p", "127.0.0.1::80", "busybox", "true");
    expect(code).toBe(0);
    expect(stderr).toMatch(/^note: port 80\/tcp is published as 127\.0\.0\.1:\d+\n$/);
  });

  it("refuses to publish a port that another program listens on", async () => {
    const { port } = new URL(url);
    const { code, stderr } = await run("--network", "isolated", "-p", `127.0.0.1:${port}:80`, "busybox", "true");
    expect(code).toBe(125);
    expect(stderr).toContain(`error: publishing port ${port}: another program listens on it [PORT_IN_USE]\n`);
  });

  it("reaches a server outside of the host", needs("root", "iproute"), async () => {
    const { code, stdout, stderr } = await command(["unshare", "--net", "--mount", "sh", "-euc", outside], {
      env: { ...process.env, TSBUILD_ROOT: store, TSBUILD: `${process.execPath} -- ${CLI_PATH}` },
    });
    expect([code, stdout], stderr).toEqual([0, "outside\n"]);
  });

  it(
    "has no IPv6 where the kernel may not be told to hand it on, and says so",
    needs("root", "privateMounts", "isolatedIpv6"),
    async () => {
      const script = 'mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec "$@"';
      const ask = ["run", "--network", "isolated", "busybox", "sh", "-c", "grep -v ' 20 ' /proc/net/if_inet6 | grep -c eth"];
      const argv = ["unshare", "--mount", "sh", "-euc", script, "sh", process.execPath, "--", CLI_PATH, ...ask] as const;
      const { stdout, stderr } = await command(argv, { env: { ...process.env, TSBUILD_ROOT: store } });
      expect(stdout).toBe("0\n");
      expect(stderr).toContain("note: the network does without: handing on packets of IPv6: EROFS, open\n");
    },
  );

  it("is that of a RUN step, which says so in its usage", async () => {
    const context = await contextDirectory({ Dockerfile: `FROM busybox\nRUN true\n` });
    const { code, stdout, stderr } = await tsbuild(["build", "--progress", "rawjson", context], { store });
    expect(code, stderr).toBe(0);
    expect(stdout + stderr).toContain('"network":"isolated"');
  });

  it("leaves no process behind when the build is killed", async () => {
    const child = spawn(process.execPath, ["--", CLI_PATH, "run", "--network", "isolated", "busybox", "sh", "-c", "echo up; sleep 100"], {
      env: { ...process.env, TSBUILD_ROOT: store },
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    const started = await descendants(child.pid ?? 0);
    expect(started.filter(({ args }) => args.includes("pasta"))).toHaveLength(1);
    child.kill("SIGKILL");
    await once(child, "close");
    await expect.poll(() => started.filter(({ pid }) => existsSync(`/proc/${pid}`)), { timeout: 10_000 }).toEqual([]);
  });
});

/**
 * A network of our own: one end of a cable is its way out, and a server is at the other. Its answer is looked for, not counted: a pasta of 2023 at times repeats
 * what came just before a server's end, with a namespace between or without.
 */
const outside = `
ip link set lo up
unshare --net sleep 60 & other=$!
trap 'kill $other' EXIT
until [ "$(readlink /proc/$other/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do :; done
ip link add near type veth peer name far
ip link set far netns $other
ip address add 10.77.0.1/24 dev near
ip link set near up
ip route add default via 10.77.0.2
nsenter --net --target $other sh -c 'ip link set lo up; ip address add 10.77.0.2/24 dev far; ip link set far up'
mount -t tmpfs none /mnt
echo outside > /mnt/index.html
nsenter --net --target $other busybox httpd -f -h /mnt -p 8000 & server=$!
trap 'kill $other $server' EXIT
until nsenter --net --target $other busybox wget -q -O /dev/null http://127.0.0.1:8000/; do kill -0 $server; done
$TSBUILD run --network isolated busybox sh -c 'printf "GET / HTTP/1.0\\r\\n\\r\\n" | timeout 3 nc 10.77.0.2 8000 | grep -m 1 outside'
`;
