import { appendFileSync, cpSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { importDebian } from "../support/bases.ts";
import { CHECKOUT, mustTsbuild, temporaryStore, tsbuild } from "../support/cli.ts";
import { readLayoutImage } from "../support/layout.ts";
import { needs } from "../support/needs.ts";
import { ranSteps } from "../support/progress.ts";
import { freePort, whileServing } from "../support/serve.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const LONG_MS = 900_000;

describe("applications on a Debian base", needs("root", "sandbox", "debootstrap", "packageArchive"), () => {
  const store = temporaryStore();
  let context: string;

  function build(name: string, directory: string) {
    return tsbuild(["--progress", "plain", "--host-ca", "-t", name, directory], { store, timeoutMs: LONG_MS });
  }

  beforeAll(async () => {
    await importDebian({ store });
    context = join(temporaryDirectory("node-app"), "context");
    cpSync(join(CHECKOUT, "fixtures/node-app"), context, { recursive: true });
    const result = await build("app", context);
    expect(result.code, result.stderr.slice(-4_000)).toBe(0);
  }, LONG_MS);

  it("the image says how it is run, and holds no trace of the host's certificates", async () => {
    const { config } = readLayoutImage(store, "app").config;
    expect(config).toMatchObject({
      User: "app",
      WorkingDir: "/app",
      Cmd: ["node", "server.js"],
      ExposedPorts: { "8080/tcp": {} },
    });
    expect(config.Env).toEqual(["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "NODE_ENV=production", "PORT=8080"]);
    const seen = await mustTsbuild(
      ["run", "--rm", "--network", "none", "app", "sh", "-c", "env | grep -ci cert; ls /etc/npmrc /root 2>&1; id -u"],
      { store },
    );
    expect(seen).toMatch(/^0\n[\s\S]*10001\n$/);
  });

  it("the container serves over HTTP as its own user, and ends when it is told to", async () => {
    const port = await freePort();
    const origin = `http://127.0.0.1:${port}`;
    const code = await whileServing(["-e", `PORT=${port}`, "-p", `${port}:${port}`, "app"], store, `${origin}/healthz`, async () => {
      expect(await (await fetch(`${origin}/healthz`)).text()).toBe("ok\n");
      expect(await (await fetch(`${origin}/`)).text()).toContain("Hello from an image made by tsbuild");
      expect(await (await fetch(`${origin}/about`)).json()).toMatchObject({ environment: "production", user: 10001 });
      expect((await fetch(`${origin}/static/greeting.txt`)).status).toBe(200);
    });
    expect(code).toBe(0);
  });

  it("an unchanged rebuild runs nothing and gives the same image", async () => {
    const before = readLayoutImage(store, "app").imageId;
    const result = await build("app", context);
    expect(result.code, result.stderr).toBe(0);
    expect(ranSteps(result.stderr).filter((title) => !title.startsWith("FROM"))).toEqual([]);
    expect(readLayoutImage(store, "app").imageId).toBe(before);
  });

  it("an edit of one file runs only the step that copies it", async () => {
    appendFileSync(join(context, "public/greeting.txt"), "edited\n");
    const result = await build("edited", context);
    expect(result.code, result.stderr).toBe(0);
    expect(ranSteps(result.stderr).filter((title) => !title.startsWith("FROM"))).toEqual(["COPY . ."]);
    const layers = (name: string) => readLayoutImage(store, name).manifest.layers.map((layer) => layer.digest);
    expect(layers("edited").slice(0, -1)).toEqual(layers("app").slice(0, -1));
  });

  it(
    "a program compiled in one stage runs alone in the next",
    async () => {
      const result = await build("c-app", join(CHECKOUT, "fixtures/c-app"));
      expect(result.code, result.stderr.slice(-4_000)).toBe(0);
      expect(readLayoutImage(store, "c-app").manifest.layers).toHaveLength(1);
      const ran = await tsbuild(["run", "--rm", "c-app", "reader"], { store });
      expect(ran.stdout).toMatch(/^hello, reader, from a static binary on \S+ \(pid \d+, uid 65534\)\n\/bin\/sh is not here\n$/);
      expect(ran.code).toBe(0);
    },
    LONG_MS,
  );
});
