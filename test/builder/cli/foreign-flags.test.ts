import { describe, expect, it } from "vitest";
import { loaders } from "../../../builder/cli/commands.ts";
import { parseFlags } from "../../../builder/cli/flags.ts";
import { thrown } from "./thrown.ts";

/** The flags of docker's image commands and of podman's, as their documentation lists them; those that take a value with one. */
const known: Readonly<Record<string, readonly string[]>> = {
  images: [
    ..."--all -a --digests --filter=dangling=true -f=x --format=json --no-trunc --quiet -q --tree".split(" "),
    ..."--history --noheading -n --sort=size".split(" "),
  ],
  inspect: "--format={{.Id}} -f={{.Id}} --size -s --type=container --platform=linux/arm64 --latest -l".split(" "),
  history: "--format={{.Id}} --human -H --no-trunc --platform=linux/arm64 --quiet -q".split(" "),
  rmi: "--force -f --no-prune --platform=linux/arm64 --all -a --ignore -i".split(" "),
  save: "--output=x -o=x --platform=linux/arm64 --compress --format=docker-dir --multi-image-archive -m --quiet -q --uncompressed".split(
    " ",
  ),
  load: "--input=x -i=x --platform=linux/arm64 --quiet -q".split(" "),
  tag: [],
  import: "--change=CMD -c=CMD --message=x -m=x --platform=linux/arm64 --arch=arm64 --os=linux --variant=v8 --quiet -q".split(" "),
};

describe("the flags of docker and podman", () => {
  it.each(Object.entries(known).flatMap(([name, flags]) => flags.map((flag) => [name, flag] as const)))(
    "%s %s is understood, noted or refused by name",
    async (name, flag) => {
      const { spec } = await loaders[name as keyof typeof loaders]();
      let code = "accepted";
      try {
        parseFlags(spec, [flag]);
      } catch (error) {
        code = (error as { code: string }).code;
      }
      expect(["accepted", "UNSUPPORTED_FLAG", "INVALID_VALUE"]).toContain(code);
    },
  );

  it.each<[command: keyof typeof loaders, flag: string, code: string, message: string]>([
    ["inspect", "-f={{.Id}}", "INVALID_VALUE", 'reading -f: "{{.Id}}" is not one of json'],
    [
      "rmi",
      "--platform=linux/arm64",
      "UNSUPPORTED_FLAG",
      "reading the command line: --platform is not supported: a name goes with all its platforms",
    ],
    [
      "run",
      "--ip=10.0.0.7",
      "UNSUPPORTED_FLAG",
      "reading the command line: --ip is not supported: there are no networks to join: --network is default, isolated, host or none",
    ],
    [
      "run",
      "--secret=id=a",
      "UNSUPPORTED_FLAG",
      "reading the command line: --secret is not supported: only RUN steps are given secrets; a container gets a file by -v ./FILE:/run/secrets/NAME:ro, a variable by -e NAME",
    ],
    ["run", "-it=false", "INVALID_VALUE", "reading the command line: -it=false joins switches, which then have no value"],
    [
      "rm",
      "-a",
      "UNSUPPORTED_FLAG",
      "reading the command line: -a is not supported: containers are removed by their names: tsbuild rm $(tsbuild ps -q)",
    ],
    ["images", "--tree", "UNSUPPORTED_FLAG", "reading the command line: --tree is not supported: --all lists the platforms of each image"],
    [
      "history",
      "-q",
      "UNSUPPORTED_FLAG",
      "reading the command line: -q is not supported: steps have no ids; --format json has those of the layers",
    ],
  ])("%s %s is refused in so many words", async (name, flag, code, message) => {
    const { spec } = await loaders[name]();
    expect(thrown(() => parseFlags(spec, [flag]))).toMatchObject({ code, message });
  });

  it.each<[command: keyof typeof loaders, hint: string]>([
    ["inspect", "there are no templates: --field imageId and --field config.Env print one field"],
    ["images", "there are no templates: json has all of it, for jq and the like"],
  ])("%s knows no templates, and says what does it", async (name, hint) => {
    const { spec } = await loaders[name]();
    expect(thrown(() => parseFlags(spec, ["--format", "{{.ID}}"]))).toMatchObject({ code: "INVALID_VALUE", hint });
  });

  it.each<[command: keyof typeof loaders, argv: string[], flags: object]>([
    ["run", ["--net", "host"], { network: "host" }],
    ["run", ["--net=none", "--dns-opt", "ndots:1", "--dns-option=rotate"], { network: "none", "dns-option": ["ndots:1", "rotate"] }],
    ["build", ["--net=host"], { network: "host" }],
    ["rm", ["-f"], { force: true }],
  ])("%s %s is read", async (name, argv, flags) => {
    const { spec } = await loaders[name]();
    expect(parseFlags(spec, argv).flags).toEqual(flags);
  });
});
