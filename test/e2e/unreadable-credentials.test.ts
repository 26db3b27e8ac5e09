import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { asUser, createUser } from "../support/users.ts";

/** What the built library finds for an ordinary user, with a directory of root's own in the place of podman's credentials. */
async function findAs(options: Readonly<Record<string, string>>): Promise<string> {
  const user = createUser({ uid: 4_121, subIds: false });
  const runtime = temporaryDirectory("runtime");
  chmodSync(runtime, 0o755);
  mkdirSync(join(runtime, "containers"), { mode: 0o700 });
  const file = join(runtime, "containers", "auth.json");
  const given = JSON.stringify(options).replaceAll("FILE", file);
  const script = `
    const { dockerCredentials } = await import(${JSON.stringify(`${user.checkout}/dist/store.js`)});
    const source = dockerCredentials({ env: { XDG_RUNTIME_DIR: ${JSON.stringify(runtime)} }, home: "/nonexistent", ...${given} });
    console.log(await source.find("registry.example").then(String, ({ code }) => code));`;
  return (await asUser(user, [user.node, "--input-type=module", "-e", script])).stdout.trim();
}

describe("credentials in a directory that is not the user's", needs("root", "privateMounts"), () => {
  it("are none where nobody named the place", async () => {
    expect(await findAs({})).toBe("undefined");
  });

  it("are an error where the file was named", async () => {
    expect(await findAs({ authFile: "FILE" })).toBe("CREDENTIALS_UNREADABLE");
  });
});
