import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { summaries } from "../../../builder/cli/command-names.ts";
import { dispatch } from "../../../builder/cli/dispatch.ts";
import manifest from "../../../package.json" with { type: "json" };
import { fakeIo } from "./fake-io.ts";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "tsbuild-dispatch-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function tsbuild(
  argv: readonly string[],
  options: Parameters<typeof fakeIo>[0] = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const io = fakeIo(options);
  const code = await dispatch(argv, io);
  return { code, stdout: io.printed.stdout, stderr: io.printed.stderr.replaceAll(root, "ROOT") };
}

describe("the command line", () => {
  it.each([["version"], ["--version"]])("answers %s with the package's version", async (word) => {
    expect(await tsbuild([word])).toEqual({ code: 0, stdout: `tsbuild ${manifest.version}\n`, stderr: "" });
  });

  it.each([["--help"], ["-h"], ["help"]])("answers %s with all commands", async (word) => {
    const { code, stdout, stderr } = await tsbuild([word]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const [name, summary] of Object.entries(summaries))
      expect(stdout).toMatch(new RegExp(`^  ${name} +${summary.replace(/[()]/g, "\\$&")}$`, "m"));
  });

  it.each([
    ["a word", ["--store", "/nowhere/s"]],
    ["one word", ["--store=/nowhere/s"]],
  ])("takes --store before a command, as %s", async (_name, flag) => {
    const expected = {
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/^error: opening the store: there is no store in \/nowhere\/s /),
    };
    expect(await tsbuild([...flag, "images"])).toEqual(expected);
    expect(await tsbuild([...flag, "history", "--format", "json", "app"])).toEqual(expected);
  });

  it("without a word is wrong usage", async () => {
    const { code, stdout, stderr } = await tsbuild([]);
    expect({ code, stdout, usage: stderr.split("\n")[0] }).toEqual({ code: 2, stdout: "", usage: "usage: tsbuild [COMMAND] [options] …" });
  });

  it("has two ways to a command's help", async () => {
    const help = await tsbuild(["tag", "--help"]);
    expect(help.stdout.split("\n")[0]).toBe("usage: tsbuild tag [options] IMAGE NAME");
    expect(await tsbuild(["help", "tag"])).toEqual(help);
  });

  it.each<[name: string, argv: string[], code: number, stderr: string]>([
    [
      "a build without context",
      ["-t", "app"],
      2,
      "error: reading the command line: build needs PATH | URL | -, got nothing [WRONG_OPERANDS]\n  hint: name the directory that COPY reads from: tsbuild build . takes the current one; all flags: tsbuild build --help\n",
    ],
    [
      "a build with two contexts",
      [".", "b"],
      2,
      "error: reading the command line: build takes no more than PATH | URL | -, got . b [WRONG_OPERANDS]\n  hint: tsbuild build --help\n",
    ],
    [
      "a misspelt command",
      ["imags"],
      2,
      "error: opening the build context imags: there is no such directory [CONTEXT_NOT_FOUND]\n  hint: did you mean the command images?\n",
    ],
    [
      "a misspelt command with operands",
      ["pul", "x", "y"],
      2,
      "error: reading the command line: build takes no more than PATH | URL | -, got pul x y [WRONG_OPERANDS]\n  hint: did you mean the command pull?\n",
    ],
    [
      "a word of docker's before a command",
      ["buildx", "build", "."],
      2,
      "error: reading the command line: build takes no more than PATH | URL | -, got buildx build . [WRONG_OPERANDS]\n  hint: leave the word out: tsbuild build\n",
    ],
    [
      "a command of docker's for what runs in the background",
      ["logs", "k1"],
      2,
      "error: reading the command line: build takes no more than PATH | URL | -, got logs k1 [WRONG_OPERANDS]\n  hint: containers run in the foreground until their command ends; tsbuild ps lists those that run --keep left\n",
    ],
    [
      "a command without its dash",
      ["lsremote", "x"],
      2,
      "error: reading the command line: build takes no more than PATH | URL | -, got lsremote x [WRONG_OPERANDS]\n  hint: did you mean the command ls-remote?\n",
    ],
    [
      "a command of another program",
      ["search", "x"],
      2,
      "error: reading the command line: build takes no more than PATH | URL | -, got search x [WRONG_OPERANDS]\n  hint: search is no command either: tsbuild --help lists them\n",
    ],
    [
      "a push without a name",
      ["--store", "X", "--push", "."],
      2,
      "error: pushing the image: it has no name that says where to [INVALID_REFERENCE]\n  hint: name it: -t HOST/REPOSITORY:TAG\n",
    ],
    [
      "an annotation without a value",
      ["--annotation", "manifest:nokey", "."],
      2,
      'error: reading --annotation: "nokey" is not KEY=VALUE [INVALID_VALUE]\n  hint: write it as org.opencontainers.image.title=app\n',
    ],
    ...[
      ["pull", "UPPER"],
      ["push", "app", "UPPER"],
      ["copy", "UPPER", "app"],
      ["copy", "app", "docker://UPPER"],
      ["ls-remote", "UPPER"],
      ["attach", "UPPER", "file"],
    ].map((argv): [string, string[], number, string] => [
      `a name that none can have: ${argv.join(" ")}`,
      argv,
      2,
      'error: reading the image name "UPPER": "UPPER" must be lower case [INVALID_REFERENCE]\n  hint: try "upper"\n',
    ]),
    ...[
      ["pull", "scratch"],
      ["copy", "scratch", "app"],
      ["ls-remote", "docker.io/library/scratch"],
    ].map((argv): [string, string[], number, string] => [
      `scratch as an image: ${argv.join(" ")}`,
      argv,
      2,
      'error: reading the image name "scratch": scratch is not an image [INVALID_REFERENCE]\n  hint: only FROM scratch has a meaning: a stage that begins with no files\n',
    ]),
    [
      "a place that is a file",
      ["copy", "./package.json", "app"],
      2,
      'error: reading the image name "./package.json": "." is no registry host [INVALID_REFERENCE]\n  hint: for the file write oci-archive:./package.json\n',
    ],
    [
      "a place that is a directory",
      ["copy", "app", "./test"],
      2,
      'error: reading the image name "./test": "." is no registry host [INVALID_REFERENCE]\n  hint: for the directory write oci:./test\n',
    ],
    [
      "a context of an unknown kind",
      ["ftp://example.org/x.tar"],
      2,
      "error: reading the context ftp://example.org/x.tar: nothing is known that such a URL could mean [UNSUPPORTED_CONTEXT]\n  hint: a context is a directory, -, https://HOST/FILE.tar, https://HOST/REPOSITORY.git, git://… or ssh://…\n",
    ],
    [
      "a flag of docker that is not there",
      ["--builder", "remote", "."],
      2,
      "error: reading the command line: --builder is not supported: there is no daemon to choose [UNSUPPORTED_FLAG]\n",
    ],
    [
      "a password in the command line",
      ["--creds", "user:secret", "."],
      2,
      "error: reading the command line: --creds is not supported: a password in the command line can be read by every user of the machine: tsbuild login, or --authfile [UNSUPPORTED_FLAG]\n",
    ],
    [
      "an annotation of what is not annotated",
      ["--annotation", "index:a=b", "."],
      2,
      'error: reading --annotation: "index:a=b": annotations at the level index are not supported [UNSUPPORTED_VALUE]\n  hint: leave the level out: the manifest is annotated; an image for several platforms (--platform) has an index\n',
    ],
    [
      "a name of Object.prototype",
      ["constructor"],
      2,
      "error: opening the build context constructor: there is no such directory [CONTEXT_NOT_FOUND]\n  hint: constructor is no command either: tsbuild --help lists them\n",
    ],
    [
      "a path that is not there",
      ["./no/such/place"],
      2,
      "error: opening the build context ./no/such/place: there is no such directory [CONTEXT_NOT_FOUND]\n",
    ],
    [
      "a command after its flags",
      ["-q", "images"],
      2,
      "error: opening the build context images: there is no such directory [CONTEXT_NOT_FOUND]\n  hint: write tsbuild images -q\n",
    ],
    [
      "a command after its flags, and before its operands",
      ["-q", "rmi", "app"],
      2,
      "error: reading the command line: build takes no more than PATH | URL | -, got rmi app [WRONG_OPERANDS]\n  hint: write tsbuild rmi -q app\n",
    ],
    [
      "a command's name where it means itself",
      ["version", "images"],
      2,
      "error: reading the command line: version takes no operands, got images [WRONG_OPERANDS]\n  hint: tsbuild version --help\n",
    ],
    [
      "a name that no image can have, before anything else",
      ["-t", "app:bad:tag", "./no/such/place"],
      2,
      'error: reading the image name "app:bad:tag": the tag "bad:tag" cannot hold ":" [INVALID_REFERENCE]\n',
    ],
    [
      "an id file in a directory that is not there",
      ["--iidfile", "/no/such/place/id", "."],
      2,
      "error: reading --iidfile: /no/such/place/id cannot be written: ENOENT: no such file or directory, access '/no/such/place' [WRITE_FAILED]\n",
    ],
    [
      "metadata to be written over a directory",
      ["--metadata-file", "/", "."],
      2,
      "error: reading --metadata-file: / is a directory [WRITE_FAILED]\n",
    ],
    [
      "a run without image",
      ["run"],
      125,
      "error: reading the command line: run needs IMAGE [COMMAND…], got nothing [WRONG_OPERANDS]\n  hint: tsbuild run --help\n",
    ],
    [
      "a run in the background",
      ["run", "-d", "app"],
      125,
      "error: reading the command line: -d is not supported: a container runs in the foreground and ends with the command [UNSUPPORTED_FLAG]\n",
    ],
    [
      "a terminal for a run that has none",
      ["run", "-it", "app"],
      125,
      "error: reading the command line: -t was given with -i, and standard input is not a terminal [NOT_A_TERMINAL]\n  hint: leave out -t\n",
    ],
    [
      "too many operands",
      ["version", "x"],
      2,
      "error: reading the command line: version takes no operands, got x [WRONG_OPERANDS]\n  hint: tsbuild version --help\n",
    ],
  ])("refuses %s", async (_name, argv, code, stderr) => {
    expect(await tsbuild(argv)).toEqual({ code, stdout: "", stderr });
  });

  it("refuses a file as context, and broken archives on standard input", async () => {
    writeFileSync(join(root, "file"), "");
    expect(await tsbuild([join(root, "file")])).toMatchObject({
      code: 2,
      stderr:
        "error: opening the build context ROOT/file: it is not a directory [CONTEXT_NOT_DIRECTORY]\n  hint: a tar or a Dockerfile alone is read from standard input: write - < FILE\n",
    });
    const store = ["--store", join(root, "store")];
    const header = Buffer.alloc(1024);
    header.write("ustar", 257);
    const neither = "error: reading the build context: it is neither a tar nor a Dockerfile [UNSUPPORTED_CONTEXT]\n";
    expect(await tsbuild([...store, "-"], { stdin: header })).toMatchObject({ stderr: neither });
    const broken =
      "error: reading the build context: decompressing: the gzip data is broken: unexpected end of file [INVALID_COMPRESSION]\n";
    expect(await tsbuild([...store, "-"], { stdin: Uint8Array.of(0x1f, 0x8b, 8) })).toMatchObject({ stderr: broken });
  });

  it("counts a Dockerfile that is not there as wrong usage, whoever finds that out", async () => {
    for (const argv of [[root], ["-f", join(root, "none"), root]]) {
      const { code, stderr } = await tsbuild(["--store", join(root, "store"), ...argv]);
      expect([code, stderr]).toEqual([2, expect.stringContaining("[DOCKERFILE_NOT_FOUND]")]);
    }
  });

  it("says where files can come from when the Dockerfile is all there is", async () => {
    const { code, stderr } = await tsbuild(["--store", join(root, "store"), "-"], { stdin: "FROM scratch\nCOPY a /a\n" });
    expect(code).toBe(1);
    expect(stderr).toContain('looking for "/a" in the build context: no such file or directory [COPY_SOURCE_NOT_FOUND]');
    expect(stderr).toContain("  hint: there are no files: the context is a Dockerfile alone; give a directory too: -f - DIR\n");
    const other = await tsbuild(["--store", join(root, "store"), "-"], {
      stdin: "FROM scratch AS a\nFROM scratch\nCOPY --from=a /x /x\n",
    });
    expect(other.stderr).toContain('looking for "/x" in stage "a": no such file or directory [COPY_SOURCE_NOT_FOUND]');
    expect(other.stderr).not.toContain("hint:");
  });

  it("takes the command line of a build for a shell, and lists only what means something there", async () => {
    const help = (await tsbuild(["shell", "--help"])).stdout;
    for (const flag of ["--label", "--squash", "--iidfile", "--metadata-file", "--check", "--call", "--dry-run"])
      expect(help).not.toContain(`${flag} `);
    const taken = await tsbuild(["shell", "--at", "2", "-t", "app", "--label", "a=b", join(root, "nowhere")]);
    expect(taken.stderr).toContain("note: --label: no image is made\n");
    expect(taken.stderr).toContain("[CONTEXT_NOT_FOUND]");
    expect((await tsbuild(["shell", "--check", "."])).stderr).toContain(
      "--check is not supported: only tsbuild build has it [UNSUPPORTED_FLAG]",
    );
  });

  it.each<[name: string, argv: string[], said: string]>([
    ["a flag of buildah", ["--arch", "arm64", "."], "--arch is not supported: use --platform OS/ARCH [UNSUPPORTED_FLAG]"],
    ["a command of buildah", ["bud", "."], "hint: leave the word out: tsbuild build"],
    ["all platforms", ["pull", "--all-platforms", "x"], "tsbuild copy --all-platforms NAME store:NAME brings all"],
    [
      "a platform that is missing",
      ["--platform", "linux/amd64,", "."],
      'reading --platform: "linux/amd64," has an empty part [INVALID_VALUE]',
    ],
    ["no store", ["--store", "", "."], "reading --store: the value (DIR) is empty [INVALID_VALUE]"],
    ["no file for the id", ["--iidfile=", "."], "reading --iidfile: the value (FILE) is empty [INVALID_VALUE]"],
    ["credentials that are not there", ["--authfile", "nope", "."], 'reading --authfile: there is no file "nope" [INVALID_VALUE]'],
    ["a variable without a name", ["run", "-e", "=x", "app"], 'reading --env: "=x" has no name before = [INVALID_VALUE]'],
    ["a host name of two words", ["run", "-h", "a b", "app"], 'reading --hostname: "a b" is no host name [INVALID_VALUE]'],
    ["a host name of two lines", ["run", "-h", "a\n1.2.3.4", "app"], "is no host name [INVALID_VALUE]"],
    ["a host name of 65 bytes", ["run", "-h", "a".repeat(65), "app"], "is no host name [INVALID_VALUE]"],
    ["an unknown limit", ["--resource", "memroy=1g", "."], '"memroy=1g" names no limit [INVALID_VALUE]\n  hint: did you mean memory?'],
  ])("refuses %s", async (_, argv, said) => {
    const { code, stderr } = await tsbuild(argv, { env: { HOME: root } });
    expect(stderr).toContain(said);
    expect(code).toBeGreaterThan(0);
  });

  it("says which accepted flags have no effect", async () => {
    const { code, stderr } = await tsbuild(["--rm", "--compress", join(root, "nowhere")]);
    expect(code).toBe(2);
    expect(stderr.split("\n").slice(0, 2)).toEqual([
      "note: --rm: nothing is left of intermediate containers in any case",
      "note: --compress: there is no daemon to send the context to",
    ]);
    expect((await tsbuild(["-q", "--rm", "--compress", join(root, "nowhere")])).stderr).not.toContain("note:");
  });

  it("says where a store belongs when there is no home", async () => {
    expect(await tsbuild(["images"])).toEqual({
      code: 2,
      stdout: "",
      stderr: "error: finding the store: $HOME is not set [NO_STORE]\n  hint: give its directory: --store DIR or $TSBUILD_ROOT\n",
    });
  });
});
