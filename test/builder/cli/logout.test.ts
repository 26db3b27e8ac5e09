import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { logout } from "../../../builder/cli/logout.ts";
import { installHelper } from "../../store/registry/credential-helper-program.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { fakeIo } from "./fake-io.ts";

let home: string;
let env: Record<string, string>;
let file: string;
beforeEach(() => {
  home = temporaryDirectory("logout");
  env = { HOME: home, PATH: `${home}:${process.env.PATH}`, XDG_CONFIG_HOME: join(home, ".config"), XDG_RUNTIME_DIR: join(home, "run") };
  mkdirSync(join(home, ".docker"));
  file = join(home, ".docker/config.json");
});

const auth = { auth: Buffer.from("user:s3cret").toString("base64") };

async function logOut(...argv: string[]): Promise<{ stdout: string; stderr: string }> {
  const io = fakeIo({ env });
  expect(await logout.main(argv, io)).toBe(0);
  return io.printed;
}

describe("logout", () => {
  it.each<[name: string, argv: string[], key: string, registry: string]>([
    ["of Docker Hub", [], "https://index.docker.io/v1/", "docker.io"],
    ["of Docker Hub by another name", ["https://index.docker.io/v1/"], "docker.io", "docker.io"],
    ["of a host", ["registry.example:5000"], "registry.example:5000", "registry.example:5000"],
    ["of a URL", ["https://Registry.example/v2/"], "registry.example", "registry.example"],
  ])("%s", async (_name, argv, key, registry) => {
    writeFileSync(file, JSON.stringify({ auths: { [key]: auth, other: auth } }));
    expect(await logOut(...argv)).toEqual({ stdout: `Removed the credentials of ${registry} from ${file}\n`, stderr: "" });
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ auths: { other: auth } });
  });

  it("from a credential helper", async () => {
    installHelper(home, "test");
    writeFileSync(file, JSON.stringify({ credsStore: "test" }));
    writeFileSync(join(home, "test-kept/registry.example"), '{"Username":"u","Secret":"s3cret"}');
    expect((await logOut("registry.example")).stdout).toBe("Removed the credentials of registry.example from docker-credential-test\n");
    expect(existsSync(join(home, "test-kept/registry.example"))).toBe(false);
  });

  it("says when there was nothing", async () => {
    expect(await logOut("registry.example")).toEqual({ stdout: "Not logged in to registry.example\n", stderr: "" });
    expect(existsSync(file)).toBe(false);
  });

  it("says what another program keeps", async () => {
    mkdirSync(join(home, "run/containers"), { recursive: true });
    const other = join(home, "run/containers/auth.json");
    writeFileSync(other, JSON.stringify({ auths: { "registry.example": auth } }));
    expect(await logOut("registry.example")).toEqual({
      stdout: "Not logged in to registry.example\n",
      stderr: `note: ${other} has credentials for registry.example too, which stay there\n`,
    });
  });

  it("from --authfile", async () => {
    const path = join(home, "auth.json");
    writeFileSync(path, JSON.stringify({ auths: { "registry.example": auth } }));
    expect((await logOut("--authfile", path, "registry.example")).stdout).toBe(
      `Removed the credentials of registry.example from ${path}\n`,
    );
  });
});
