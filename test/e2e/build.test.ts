import { chmodSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { importBusybox } from "../support/bases.ts";
import { mustTsbuild, temporaryStore, tsbuild } from "../support/cli.ts";
import { mustRun } from "../support/command.ts";
import { contextDirectory, writeFiles } from "../support/context.ts";
import { blobPath, readLayoutImage } from "../support/layout.ts";
import { needs } from "../support/needs.ts";
import { ranSteps, stepOutcomes } from "../support/progress.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const store = temporaryStore();

function build(context: string, ...args: string[]) {
  return tsbuild(["build", "--progress", "plain", ...args, context], { store });
}

async function mustBuild(context: string, ...args: string[]): Promise<string> {
  const result = await build(context, ...args);
  expect(result.code, result.stderr).toBe(0);
  return result.stderr;
}

/** The listing of a layer by another program: mode, owner and path (and target) of each entry. */
async function layerListing(name: string, index: number): Promise<string[]> {
  const digest = readLayoutImage(store, name).manifest.layers[index]?.digest ?? "";
  const listing = await mustRun(["tar", "--numeric-owner", "-tvf", blobPath(store, digest)]);
  return listing
    .trim()
    .split("\n")
    .map((line) => line.replace(/^(\S+) (\S+) +\d+ \S+ \S+ /, "$1 $2 "));
}

beforeAll(() => importBusybox({ store }));

describe("the image's config", () => {
  it("holds what each instruction says", async () => {
    const context = contextDirectory({
      Dockerfile: `FROM busybox
ARG VERSION=1
ENV A=1 B="two words" C=$VERSION
LABEL org.example.name=app "with space"="a b"
WORKDIR /srv
WORKDIR app
EXPOSE 8080 53/udp
VOLUME ["/data", "/more"]
USER 1000:1000
STOPSIGNAL SIGINT
SHELL ["/bin/sh", "-ec"]
HEALTHCHECK --interval=5s --timeout=3s --start-period=1s --retries=2 CMD wget -q http://127.0.0.1/
ENTRYPOINT ["/bin/echo", "$HOME"]
CMD one two
`,
    });
    await mustBuild(context, "-t", "config");
    const image = readLayoutImage(store, "config");
    expect(image.config.config).toEqual({
      Env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "A=1", "B=two words", "C=1"],
      Labels: { "org.example.name": "app", "with space": "a b" },
      WorkingDir: "/srv/app",
      ExposedPorts: { "8080/tcp": {}, "53/udp": {} },
      Volumes: { "/data": {}, "/more": {} },
      User: "1000:1000",
      StopSignal: "SIGINT",
      Shell: ["/bin/sh", "-ec"],
      Healthcheck: {
        Test: ["CMD-SHELL", "wget -q http://127.0.0.1/"],
        Interval: 5_000_000_000,
        Timeout: 3_000_000_000,
        StartPeriod: 1_000_000_000,
        Retries: 2,
      },
      Entrypoint: ["/bin/echo", "$HOME"],
      Cmd: ["/bin/sh", "-ec", "one two"],
      ArgsEscaped: true,
    });
    expect([image.config.os, image.config.rootfs.diff_ids.length]).toEqual(["linux", image.manifest.layers.length]);
    const filled = image.config.history.filter((entry) => entry.empty_layer !== true);
    expect(filled).toHaveLength(image.manifest.layers.length);
  });

  it("keeps the base's settings, and ENTRYPOINT resets an inherited CMD", async () => {
    const context = contextDirectory({ Dockerfile: 'FROM busybox\nENTRYPOINT ["/bin/true"]\n' });
    await mustBuild(context, "-t", "reset");
    expect(readLayoutImage(store, "reset").config.config).toEqual({
      Env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
      Entrypoint: ["/bin/true"],
    });
  });

  it("takes labels and build arguments from the command line, and writes ids to files", async () => {
    const context = contextDirectory({ Dockerfile: "FROM busybox\nARG WHO=nobody\nENV HELLO=$WHO\n" });
    const out = temporaryDirectory();
    await mustBuild(context, "-t", "flags:v1", "-t", "flags:v2", "--label", "a=b", "--build-arg", "WHO=me", "--iidfile", join(out, "iid"));
    const image = readLayoutImage(store, "flags:v1");
    expect(image.config.config.Labels).toEqual({ a: "b" });
    expect(image.config.config.Env).toEqual(["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HELLO=me"]);
    expect(readFileSync(join(out, "iid"), "utf8")).toBe(image.imageId);
    expect(readLayoutImage(store, "flags:v2").imageId).toBe(image.imageId);
  });
});

describe("files", () => {
  it("COPY keeps modes, follows --chown and --chmod, and gives made parents the same owner", async () => {
    const context = contextDirectory({
      Dockerfile: `FROM scratch
COPY --chown=7:8 plain.txt /a/b/
COPY --chmod=600 plain.txt /c
COPY run.sh link /d/
`,
      "plain.txt": "plain\n",
      "run.sh": { text: "#!/bin/sh\n", mode: 0o750 },
    });
    symlinkSync("run.sh", join(context, "link"));
    await mustBuild(context, "-t", "copied");
    expect(await layerListing("copied", 0)).toEqual(["drwxr-xr-x 7/8 a/", "drwxr-xr-x 7/8 a/b/", "-rw-r--r-- 7/8 a/b/plain.txt"]);
    expect(await layerListing("copied", 1)).toEqual(["-rw------- 0/0 c"]);
    // A link that is itself a source is followed, as BuildKit does.
    expect(await layerListing("copied", 2)).toEqual(["drwxr-xr-x 0/0 d/", "-rwxr-x--- 0/0 d/link", "-rwxr-x--- 0/0 d/run.sh"]);
  });

  it("COPY of a directory copies what is in it, links as links, and leaves out what is ignored", async () => {
    const context = contextDirectory({
      Dockerfile: "FROM scratch\nCOPY . /app/\n",
      ".dockerignore": "# comment\n*.log\n!keep.log\nsecret\n",
      "a.log": "",
      "keep.log": "",
      "secret/key": "",
      "src/main.c": "int main;\n",
    });
    symlinkSync("main.c", join(context, "src/alias"));
    await mustBuild(context, "-t", "ignored");
    expect(await layerListing("ignored", 0)).toEqual([
      "drwxr-xr-x 0/0 app/",
      "-rw-r--r-- 0/0 app/.dockerignore",
      "-rw-r--r-- 0/0 app/Dockerfile",
      "-rw-r--r-- 0/0 app/keep.log",
      "drwxr-xr-x 0/0 app/src/",
      "lrwxrwxrwx 0/0 app/src/alias -> main.c",
      "-rw-r--r-- 0/0 app/src/main.c",
    ]);
  });

  it("WORKDIR makes its directories, as BuildKit does, as the user's own", async () => {
    const context = contextDirectory({ Dockerfile: "FROM busybox\nUSER 1000\nWORKDIR /work/deep\n" });
    await mustBuild(context, "-t", "workdir");
    expect(await layerListing("workdir", 1)).toEqual(["drwxr-xr-x 1000/0 work/", "drwxr-xr-x 1000/0 work/deep/"]);
  });

  it("ADD unpacks a local archive", async () => {
    const context = contextDirectory({ Dockerfile: "FROM scratch\nADD files.tar.gz /unpacked/\n", "one.txt": "1\n" });
    await mustRun(["tar", "-C", context, "--owner=0", "--group=0", "-czf", join(context, "files.tar.gz"), "one.txt"]);
    await mustBuild(context, "-t", "added");
    expect(await layerListing("added", 0)).toEqual(["drwxr-xr-x 0/0 unpacked/", "-rw-r--r-- 0/0 unpacked/one.txt"]);
  });
});

describe("RUN", needs("sandbox"), () => {
  it("makes a layer of what it changed, whiteouts included, and COPY --from takes files of another stage", async () => {
    const context = contextDirectory({
      Dockerfile: `FROM busybox AS maker
RUN mkdir /made && echo made > /made/file && chown -R 5:6 /made && rm /etc/shadow
RUN rm -r /made && mkdir /made && touch -d '2001-02-03 04:05:06' /made/again

FROM scratch
COPY --from=maker /made /taken
`,
    });
    await mustBuild(context, "-t", "taken");
    expect(await layerListing("taken", 0)).toEqual(["drwxr-xr-x 0/0 taken/", "-rw-r--r-- 0/0 taken/again"]);
    await mustBuild(context, "-t", "maker", "--target", "maker");
    const listing = await layerListing("maker", 1);
    expect(listing.filter((line) => !/ (etc|made)\/$/.test(line))).toEqual(["---------- 0/0 etc/.wh.shadow", "-rw-r--r-- 5/6 made/file"]);
    expect(listing).toContain("drwxr-xr-x 5/6 made/");
  });

  it("sees environment, arguments, user and directory, and no trace of the host", async () => {
    const context = contextDirectory({
      Dockerfile: `FROM busybox
ARG WHO
ENV GREETING=hello
WORKDIR /w
RUN mkdir /out && chown 1000:1000 /out
USER 1000:1000
RUN echo "$GREETING $WHO $(id -u):$(id -g) $PWD" > /out/seen; ls / > /out/root; cat /proc/1/comm > /out/first
SHELL ["/bin/sh", "-c", "echo shell: $0 > /out/shell"]
RUN ignored
`,
    });
    await mustBuild(context, "-t", "seen", "--build-arg", "WHO=world");
    const shown = await mustTsbuild(["run", "--rm", "seen", "sh", "-c", "cat /out/seen /out/root /out/shell"], { store });
    expect(shown).toBe("hello world 1000:1000 /w\nbin\ndev\netc\nhome\nout\nproc\nroot\nsys\ntmp\nusr\nvar\nw\nshell: ignored\n");
  });

  it("that fails ends the build with its instruction, exit code and last lines", async () => {
    const context = contextDirectory({ Dockerfile: "FROM busybox\nRUN echo before\nRUN echo why >&2 && exit 7\nRUN echo never\n" });
    const result = await build(context, "-t", "failing");
    expect(result.code).toBe(1);
    expect(result.stdout).toBe("");
    expect(result.stderr).toContain("3 │ RUN echo why >&2 && exit 7\n");
    expect(result.stderr).toContain("exit code 7");
    expect(result.stderr).toContain("  last output:\n    why\n");
    expect(result.stderr).not.toContain("echo never\n#");
    const inspected = await tsbuild(["inspect", "failing"], { store });
    expect([inspected.code, inspected.stderr]).toEqual([1, expect.stringContaining("no image named docker.io/library/failing:latest")]);
  });

  it("that is killed for lack of memory says so, with limit and peak; so does one that goes on", needs("cgroups", "root"), async () => {
    const take = "dd if=/dev/zero of=/dev/shm/x bs=1M count=60";
    const failing = await build(contextDirectory({ Dockerfile: `FROM busybox\nRUN ${take}\n` }), "--memory", "16m");
    expect(failing.code).toBe(1);
    expect(failing.stderr).toMatch(
      /\[2\/2\] RUN dd .*: (exit code 137|killed by SIGKILL), out of memory \(limit 16\.0 MiB, peak 1[56]\.\d MiB\) \[STEP_FAILED\]/,
    );
    expect(failing.stderr).toContain("  hint: raise --memory; tsbuild shell opens a shell in the step as it failed\n");
    expect(failing.stderr).toMatch(/^#2 failed .*, 1[56]\.\d MiB memory/m);
    const goingOn = contextDirectory({ Dockerfile: `FROM busybox\nRUN (${take}) || true\n` });
    expect(await mustBuild(goingOn, "--resource", "memory=16m")).toMatch(
      /^note: \[2\/2\] RUN .*: out of memory \(limit 16\.0 MiB, peak 1[56]\.\d MiB\): raise --memory$/m,
    );
  });

  it("leaves no stub of resolv.conf, hosts, proc, sys or dev in its layer", async () => {
    const context = contextDirectory({ Dockerfile: "FROM busybox\nRUN touch /only\n" });
    await mustBuild(context, "-t", "stubs");
    expect(await layerListing("stubs", 1)).toEqual(["-rw-r--r-- 0/0 only"]);
  });
});

describe("the cache", needs("sandbox"), () => {
  const files = {
    Dockerfile: `FROM busybox AS first
COPY a.txt /a.txt
RUN cat /a.txt > /from-a
FROM busybox
COPY --from=first /from-a /from-a
COPY b.txt /b.txt
RUN cat /b.txt > /from-b
`,
    "a.txt": "a\n",
    "b.txt": "b\n",
  };

  it("gives an unchanged build the same image without running a step", async () => {
    const context = contextDirectory(files);
    await mustBuild(context, "-t", "cached");
    const first = readLayoutImage(store, "cached").imageId;
    const again = await mustBuild(context, "-t", "cached");
    expect(ranSteps(again).filter((title) => !title.startsWith("FROM"))).toEqual([]);
    expect(stepOutcomes(again).length).toBeGreaterThanOrEqual(5);
    expect(readLayoutImage(store, "cached").imageId).toBe(first);
  });

  it("runs only what a changed file reaches", async () => {
    const context = contextDirectory(files);
    await mustBuild(context);
    writeFileSync(join(context, "b.txt"), "changed\n");
    const afterB = ranSteps(await mustBuild(context, "-t", "edited")).filter((title) => !title.startsWith("FROM"));
    expect(afterB).toEqual(["COPY b.txt /b.txt", "RUN cat /b.txt > /from-b"]);
    expect(await mustTsbuild(["run", "--rm", "edited", "cat", "/from-a", "/from-b"], { store })).toBe("a\nchanged\n");
  });

  it("does not mind times and the order of files, but minds modes", async () => {
    const context = contextDirectory(files);
    await mustBuild(context);
    writeFiles(context, Object.fromEntries(Object.entries(files).reverse()));
    expect(ranSteps(await mustBuild(context)).filter((title) => !title.startsWith("FROM"))).toEqual([]);
    chmodSync(join(context, "b.txt"), 0o600);
    expect(ranSteps(await mustBuild(context))).toContain("COPY b.txt /b.txt");
  });

  it("stays whole for later steps when a step that runs again makes the same content", async () => {
    const dockerfile = (comment: string) => `FROM busybox\nRUN : ${comment}; echo same > /same\nRUN cat /same > /after\n`;
    const context = contextDirectory({ Dockerfile: dockerfile("one") });
    await mustBuild(context, "-t", "same1");
    writeFileSync(join(context, "Dockerfile"), dockerfile("two"));
    const stderr = await mustBuild(context, "-t", "same2");
    expect(ranSteps(stderr).filter((title) => !title.startsWith("FROM"))).toEqual(["RUN : two; echo same > /same"]);
    expect(readLayoutImage(store, "same2").config.rootfs).toEqual(readLayoutImage(store, "same1").config.rootfs);
  });

  it("is not used with --no-cache", async () => {
    const context = contextDirectory({ Dockerfile: "FROM busybox\nRUN echo 1\n" });
    await mustBuild(context);
    expect(ranSteps(await mustBuild(context, "--no-cache"))).toContain("RUN echo 1");
  });
});

describe("what cannot be built", () => {
  it("names the missing base and where it was looked for", async () => {
    const result = await build(contextDirectory({ Dockerfile: "FROM nowhere/app:v9\n" }), "--pull=never");
    expect(result.code).toBe(1);
    expect(result.stderr).toContain(`looking for image "nowhere/app:v9": it is not in the store ${store};`);
  });

  it("shows all syntax errors with their lines", async () => {
    const result = await build(contextDirectory({ Dockerfile: "FROM busybox\nRUNN x\nCOPPY a b\n" }));
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('Dockerfile:2:1: error: unknown instruction "RUNN"');
    expect(result.stderr).toContain('Dockerfile:3:1: error: unknown instruction "COPPY"');
  });

  it("refuses flags that it does not know or support, with exit code 2", async () => {
    const context = contextDirectory({ Dockerfile: "FROM scratch\n" });
    const unknown = await build(context, "--no-such-flag");
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining("build has no flag --no-such-flag [UNKNOWN_FLAG]")]);
    const builder = await build(context, "--builder=remote");
    expect([builder.code, builder.stderr]).toEqual([2, expect.stringContaining("--builder")]);
  });

  it("does not copy from outside of the context", async () => {
    const outside = contextDirectory({
      "etc/passwd": "stolen\n",
      "deep/context/Dockerfile": "FROM scratch\nCOPY ../../etc/passwd /stolen\n",
    });
    const result = await build(join(outside, "deep/context"), "-t", "stolen");
    expect(result.code).toBe(1);
    expect(result.stderr).toContain(
      `Dockerfile:2:1: error: looking for "../../etc/passwd" in the build context ${outside}/deep/context: no such file or directory [COPY_SOURCE_NOT_FOUND]`,
    );
  });
});
