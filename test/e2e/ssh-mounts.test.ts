import { execFileSync } from "node:child_process";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { importBusybox } from "../support/bases.ts";
import { type CliOptions, mustTsbuild, temporaryStore, tsbuild } from "../support/cli.ts";
import { contextDirectory } from "../support/context.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { createUser } from "../support/users.ts";

/** Asks the agent at $SSH_AUTH_SOCK to list its keys, and says how many bytes of what type it answers. */
const client = String.raw`
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
int main(int count, char **words) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, getenv("SSH_AUTH_SOCK"), sizeof address.sun_path - 1);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) return perror("connect"), 1;
  unsigned char request[] = {0, 0, 0, 1, (unsigned char)atoi(words[1])}, answer[4096];
  write(fd, request, sizeof request);
  long length = read(fd, answer, sizeof answer);
  printf("%ld %d %d\n", length > 9 ? 10 : length, answer[4], length > 8 ? answer[8] : 0);
  return count - 2;
}
`;

const ROWS = [
  { name: "root", owner: "1000:2000", make: () => ({ store: temporaryStore() }) },
  { name: "a user with sub-ids", owner: "1000:2000", make: () => ({ user: createUser({ uid: 4931, subIds: true }) }) },
  { name: "a user without sub-ids", owner: "0:0", make: () => ({ user: createUser({ uid: 4932, subIds: false }) }) },
] as const;

describe.each(ROWS)("RUN --mount=type=ssh of $name", needs("root", "privateMounts", "userNamespaces", "subIds"), ({ owner, make }) => {
  let options: CliOptions;
  let context: string;
  beforeAll(async () => {
    options = make();
    await importBusybox(options);
    const built = temporaryDirectory("ssh-client");
    writeFileSync(join(built, "client.c"), client);
    execFileSync("gcc", ["-static", "-O1", "-o", "client", "client.c"], { cwd: built });
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(built, "key")]);
    context = contextDirectory({
      Dockerfile: `FROM busybox
RUN --mount=type=ssh --mount=type=ssh,id=other --mount=type=ssh,id=two,target=/two,uid=1000,gid=2000,mode=0660 --mount=target=/src \\
    { echo $SSH_AUTH_SOCK; ls /run/buildkit; stat -c '%F %u:%g %a' /two; /src/client 11; /src/client 19; SSH_AUTH_SOCK=/two /src/client 11; } > /out
RUN ls -d /run/buildkit /two >> /out 2>&1 || true
`,
    });
    copyFileSync(join(built, "client"), join(context, "client"));
    copyFileSync(join(built, "key"), join(context, "key"));
    execFileSync("chmod", ["0644", join(context, "key")]);
  });

  it("gives sockets of agents that list and sign, and leaves none behind", async () => {
    const key = join(context, "key");
    const args = [
      "build",
      "--progress",
      "plain",
      "--network",
      "none",
      "-t",
      "app",
      "--ssh",
      `default=${key}`,
      "--ssh",
      `two=${key},${key}`,
    ];
    const { code, stderr } = await tsbuild([...args, context], options);
    expect(code, stderr).toBe(0);
    expect((await mustTsbuild(["run", "--rm", "app", "cat", "/out"], options)).split("\n").slice(0, 6)).toEqual([
      "/run/buildkit/ssh_agent.0",
      "ssh_agent.0",
      `socket ${owner} 660`,
      "10 12 1",
      // To remove all keys is refused.
      "5 5 0",
      "10 12 2",
    ]);
    expect(await mustTsbuild(["run", "--rm", "app", "tail", "-n", "2", "/out"], options)).toBe(
      "ls: /run/buildkit: No such file or directory\nls: /two: No such file or directory\n",
    );
  });
});
