import { describe, expect, it } from "vitest";
import { rules } from "../../../builder/checks/rules.ts";
import { type CheckedText, checkText, findingsOf } from "./check-text.ts";

type Row = readonly [name: string, text: string, findings: readonly string[], options?: CheckedText];

/** What BuildKit's rule says of these Dockerfiles; many of them are those of its own tests (frontend/dockerfile/dockerfile_lint_test.go). */
const table: Readonly<Record<string, readonly Row[]>> = {
  StageNameCasing: [
    ["mixed", "FROM scratch AS BadStageName", ["1 StageNameCasing: Stage name 'BadStageName' should be lowercase"]],
    ["upper", "FROM scratch\nFROM scratch AS B", ["2 StageNameCasing: Stage name 'B' should be lowercase"]],
    [
      "of a stage that is not needed",
      "FROM scratch AS B\nFROM scratch",
      ["1 StageNameCasing: Stage name 'B' should be lowercase"],
      { targets: [] },
    ],
    ["lower, with all that names may hold", "FROM scratch AS a-b_c.1", []],
  ],
  FromAsCasing: [
    ["FROM as", "FROM scratch as base2", ["1 FromAsCasing: 'as' and 'FROM' keywords' casing do not match"]],
    ["from AS", "from scratch AS base", ["1 FromAsCasing: 'AS' and 'from' keywords' casing do not match"]],
    ["FROM As", "FROM scratch As base", ["1 FromAsCasing: 'As' and 'FROM' keywords' casing do not match"]],
    ["behind a flag", "FROM --platform=$BUILDPLATFORM scratch as a", ["1 FromAsCasing: 'as' and 'FROM' keywords' casing do not match"]],
    ["FROM AS", "FROM scratch AS base", []],
    ["from as", "from scratch as base", []],
    [
      "a mixed from is another rule's matter",
      "From scratch as base\nFROM scratch AS base2",
      ["1 ConsistentInstructionCasing: Command 'From' should match the case of the command majority (uppercase)"],
    ],
  ],
  NoEmptyContinuation: [
    ["one", "FROM scratch\nCOPY Dockerfile \\\n\n.\nCOPY Dockerfile \\\n.", ["4 NoEmptyContinuation: Empty continuation line"]],
    ["blanks only", "FROM scratch\nENV A=1 \\\n \t \n B=2", ["4 NoEmptyContinuation: Empty continuation line"]],
    ["behind a comment", "FROM scratch\nENV A=1 \\\n# c\n\n B=2", ["5 NoEmptyContinuation: Empty continuation line"]],
    ["up to the end of the file", "FROM scratch\nENV A=1 \\\n\n", ["3 NoEmptyContinuation: Empty continuation line"]],
    ["CRLF", "FROM scratch\r\nENV A=1 \\\r\n\r\n B=2\r\n", ["4 NoEmptyContinuation: Empty continuation line"]],
    ["another escape", "# escape=`\nFROM scratch\nENV A=1 `\n\n B=2", ["5 NoEmptyContinuation: Empty continuation line"]],
    ["before a heredoc", "FROM scratch\nCOPY <<E \\\n\n /a\nx\n\nE\n", ["4 NoEmptyContinuation: Empty continuation line"]],
    ["of an ARG before FROM", "ARG A=1 \\\n\n B=2\nFROM scratch", ["3 NoEmptyContinuation: Empty continuation line"]],
    ["a comment alone", "FROM scratch\nENV A=1 \\\n# c\n B=2", []],
    ["between instructions", "FROM scratch\n\n\nENV A=1\n\n", []],
    ["in a heredoc", "FROM scratch\nCOPY <<E /a\nx \\\n\ny\nE\n", []],
    ["an escape at the very end", "FROM scratch\nENV A=1 \\\n", []],
  ],
  ConsistentInstructionCasing: [
    [
      "one against two",
      "FROM scratch\ncopy a /a\nCOPY b /b",
      ["2 ConsistentInstructionCasing: Command 'copy' should match the case of the command majority (uppercase)"],
    ],
    [
      "the other way",
      "from scratch\nCOPY a /a\ncopy b /b",
      ["2 ConsistentInstructionCasing: Command 'COPY' should match the case of the command majority (lowercase)"],
    ],
    [
      "as many of each: upper case is meant",
      "from scratch\nCOPY a /a",
      ["1 ConsistentInstructionCasing: Command 'from' should match the case of the command majority (uppercase)"],
    ],
    [
      "mixed",
      "frOM scratch as base\nfrom scratch as base2",
      ["1 ConsistentInstructionCasing: Command 'frOM' should match the case of the command majority (lowercase)"],
    ],
    ["all lower", "from scratch\ncopy a /a", []],
    ["an ARG before FROM does not count", "arg A\nFROM scratch", []],
    ["what ONBUILD holds does not count", "FROM scratch\nONBUILD run x", []],
    ["a heredoc's body does not count", "FROM scratch\nCOPY <<E /a\nrun x\nrun y\nrun z\nE", []],
  ],
  DuplicateStageName: [
    ["twice", "FROM scratch AS b\nFROM scratch AS b", ['2 DuplicateStageName: Duplicate stage name "b", stage names should be unique']],
    [
      "in another case",
      "FROM scratch AS b\nFROM scratch AS B",
      [
        "2 StageNameCasing: Stage name 'B' should be lowercase",
        '2 DuplicateStageName: Duplicate stage name "b", stage names should be unique',
      ],
    ],
    ["others", "FROM scratch AS b1\nFROM scratch AS b2\nFROM scratch\nFROM scratch", []],
  ],
  ReservedStageName: [
    [
      "both words",
      "FROM scratch AS scratch\nFROM scratch AS context",
      [
        '1 ReservedStageName: Stage name should not use the same name as reserved stage "scratch"',
        '2 ReservedStageName: Stage name should not use the same name as reserved stage "context"',
      ],
    ],
    ["as a base", "FROM scratch\nFROM scratch AS a", []],
  ],
  JSONArgsRecommended: [
    [
      "CMD",
      "FROM scratch\nCMD mycommand",
      ["2 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals"],
    ],
    [
      "ENTRYPOINT",
      "FROM scratch\nENTRYPOINT mycommand",
      ["2 JSONArgsRecommended: JSON arguments recommended for ENTRYPOINT to prevent unintended behavior related to OS signals"],
    ],
    [
      "JSON that is none",
      "FROM scratch\nCMD ['a']",
      ["2 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals"],
    ],
    [
      "a trigger of a stage, at the FROM that fires it",
      "FROM scratch AS a\nONBUILD CMD x\nFROM a",
      ["3 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals"],
    ],
    [
      "a known base without SHELL",
      "FROM known\nCMD x",
      ["2 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals"],
    ],
    ["a known base with SHELL", "FROM known\nCMD x", [], { base: { config: { Shell: ["/bin/bash", "-c"] } } }],
    ["a base that is not known", "FROM elsewhere\nCMD x", []],
    ["SHELL before", 'FROM scratch\nSHELL ["/usr/bin/customshell"]\nCMD mycommand', []],
    ["SHELL of the base stage", 'FROM scratch AS base\nSHELL ["/s"]\nFROM base\nENTRYPOINT mycommand', []],
    ["JSON", 'FROM scratch\nCMD ["a"]\nENTRYPOINT []', []],
    ["RUN", "FROM scratch\nRUN x", []],
  ],
  MaintainerDeprecated: [
    [
      "once",
      "FROM scratch\nMAINTAINER me@example.org",
      ["2 MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label"],
    ],
    ["a label", 'FROM scratch\nLABEL org.opencontainers.image.authors="me@example.org"', []],
  ],
  UndefinedArgInFrom: [
    [
      "a near miss of a platform argument",
      "FROM scratch${TARGETARHC}",
      ["1 UndefinedArgInFrom: FROM argument 'TARGETARHC' is not declared (did you mean TARGETARCH?)"],
    ],
    [
      "a near miss of a global one, beside one that is declared",
      "ARG MY_OS=linux\nARG MY_ARCH=amd64\nFROM --platform=${MY_OS}/amd64${MYARCH} scratch",
      ["3 UndefinedArgInFrom: FROM argument 'MYARCH' is not declared (did you mean MY_ARCH?)"],
    ],
    ["like nothing", "ARG tag=latest\nFROM busybox:${tag}${version}", ["2 UndefinedArgInFrom: FROM argument 'version' is not declared"]],
    [
      "an ARG of a stage",
      "FROM scratch AS a\nARG suffix\nFROM scratch${suffix}",
      ["3 UndefinedArgInFrom: FROM argument 'suffix' is not declared"],
    ],
    ["declared", "ARG base=scratch\nFROM $base", []],
    ["declared without a value", "ARG DEBUG\nFROM scratch${DEBUG}", []],
    ["a platform argument", "FROM --platform=$BUILDPLATFORM scratch", []],
    ["a form with a default", "FROM scra${DEBUG:-tch}", []],
    ["escaped", "ARG A=scratch\nFROM ${A}", []],
  ],
  WorkdirRelativePath: [
    [
      "the first",
      "FROM scratch\nWORKDIR app/",
      ['2 WorkdirRelativePath: Relative workdir "app/" can have unexpected results if the base image changes'],
    ],
    [
      "only the first",
      "FROM scratch\nWORKDIR a\nWORKDIR b",
      ['2 WorkdirRelativePath: Relative workdir "a" can have unexpected results if the base image changes'],
    ],
    [
      "a base's own does not count",
      "FROM known\nWORKDIR a",
      ['2 WorkdirRelativePath: Relative workdir "a" can have unexpected results if the base image changes'],
      { base: { config: { WorkingDir: "/app" } } },
    ],
    ["behind an absolute one", "FROM scratch\nWORKDIR /a\nWORKDIR b", []],
    ["behind one of the base stage", "FROM scratch AS a\nWORKDIR /app\nFROM a\nWORKDIR subdir/", []],
    ["absolute after expansion", "FROM scratch\nENV D=/x\nWORKDIR ${D}/y", []],
  ],
  UndefinedVar: [
    ["COPY", "FROM scratch\nCOPY $foo .\nARG foo=bar", ["2 UndefinedVar: Usage of undefined variable '$foo'"]],
    [
      "a near miss of an ARG",
      "FROM scratch\nARG DIR_ASSETS=assets/\nCOPY $DIR_ASSET .",
      ["3 UndefinedVar: Usage of undefined variable '$DIR_ASSET' (did you mean $DIR_ASSETS?)"],
    ],
    [
      "a near miss of PATH",
      "FROM scratch\nENV PATH=$PAHT:/tmp/bin",
      ["2 UndefinedVar: Usage of undefined variable '$PAHT' (did you mean $PATH?)"],
    ],
    [
      "one that the known base does not set",
      "FROM known\nENV A=$HOMEDIR B=$HOME_DIR",
      ["2 UndefinedVar: Usage of undefined variable '$HOMEDIR' (did you mean $HOME_DIR?)"],
      { base: { config: { Env: ["HOME_DIR=/x"] } } },
    ],
    [
      "a global argument that the stage does not declare",
      "ARG V=1\nFROM scratch\nLABEL v=$V",
      [
        "3 UndefinedVar: Usage of undefined variable '$V' (an ARG before the first FROM counts in FROM alone: write ARG V in this stage too)",
      ],
    ],
    [
      "each once in an instruction",
      "FROM scratch\nENV A=$x B=$x C=$y",
      ["2 UndefinedVar: Usage of undefined variable '$x'", "2 UndefinedVar: Usage of undefined variable '$y'"],
    ],
    ["COPY flags", "FROM scratch\nCOPY --chown=$u --chmod=755 a /a", ["2 UndefinedVar: Usage of undefined variable '$u'"]],
    ["a heredoc", "FROM scratch\nCOPY <<E /a\n'$x'\nE", ["2 UndefinedVar: Usage of undefined variable '$x'"]],
    ["mounts", "FROM scratch\nRUN --mount=type=cache,target=/c/$x true", ["2 UndefinedVar: Usage of undefined variable '$x'"]],
    ["the default of an ARG", "FROM scratch\nARG A=$x", ["2 UndefinedVar: Usage of undefined variable '$x'"]],
    [
      "single words",
      "FROM scratch\nUSER $u\nWORKDIR /$w\nVOLUME /$v\nSTOPSIGNAL ${s}9",
      ["u", "w", "v", "s"].map((name, i) => `${i + 2} UndefinedVar: Usage of undefined variable '$${name}'`),
    ],
    [
      "stages that no target needs, when all are checked",
      "FROM scratch AS first\nCOPY $foo .\nFROM scratch AS second\nCOPY $bar .",
      ["2 UndefinedVar: Usage of undefined variable '$foo'", "4 UndefinedVar: Usage of undefined variable '$bar'"],
    ],
    [
      "not those, when the target is built",
      "FROM scratch AS first\nCOPY $foo .\nFROM scratch AS second\nCOPY $bar .",
      ["4 UndefinedVar: Usage of undefined variable '$bar'"],
      { targets: [] },
    ],
    ["declared without a value", "FROM scratch\nARG foo\nCOPY Dockerfile${foo} .", []],
    ["of the base stage", "FROM scratch AS base\nARG foo=Dockerfile\nFROM base\nCOPY $foo .", []],
    ["of the known base", "FROM known\nCOPY $A .", [], { base: { config: { Env: ["A=1"] } } }],
    ["of a trigger", "FROM known\nCOPY $A .", [], { base: { config: { OnBuild: ["ENV A=1"] } } }],
    ["of a base that is not known", "FROM elsewhere\nCOPY $foo .", []],
    ["PATH", "FROM scratch\nENV P=$PATH", []],
    ["a build argument replaces the default", "FROM scratch\nARG A=$x", [], { buildArgs: { A: "1" } }],
    ["declared by the same ARG", "FROM scratch\nARG A=1 B=$A", []],
    ["platform arguments once declared", "FROM scratch\nARG TARGETARCH\nLABEL a=$TARGETARCH", []],
    ["a form that says what to do", "FROM scratch\nENV A=${x:-1} B=${y:+2}", []],
    ["what a shell expands", 'FROM scratch\nRUN echo $foo\nCMD ["$bar"]\nHEALTHCHECK CMD x $baz', []],
    ["quoted and escaped", "FROM scratch\nENV A='$x' B=\\$y", []],
    ["a quoted heredoc", "FROM scratch\nCOPY <<'E' /a\n$x\nE", []],
  ],
  MultipleInstructionsDisallowed: [
    [
      "each, at the one without effect",
      'FROM scratch\nENTRYPOINT ["/a"]\nCMD ["/a"]\nHEALTHCHECK CMD ["/a"]\nENTRYPOINT ["/b"]\nCMD ["/b"]\nHEALTHCHECK CMD ["/b"]',
      ["ENTRYPOINT", "CMD", "HEALTHCHECK"].map(
        (keyword, i) =>
          `${i + 2} MultipleInstructionsDisallowed: Multiple ${keyword} instructions should not be used in the same stage because only the last one will be used`,
      ),
    ],
    ["of several stages", 'FROM scratch AS a\nCMD ["/a"]\nFROM a\nCMD ["/b"]', []],
    ["others", "FROM scratch\nUSER a\nUSER b", []],
  ],
  LegacyKeyValueFormat: [
    [
      "both",
      "FROM scratch\nENV testkey value\nLABEL key value",
      [
        '2 LegacyKeyValueFormat: "ENV key=value" should be used instead of legacy "ENV key value" format',
        '3 LegacyKeyValueFormat: "LABEL key=value" should be used instead of legacy "LABEL key value" format',
      ],
    ],
    [
      "an equals sign in the value",
      "FROM scratch\nENV a b=c",
      ['2 LegacyKeyValueFormat: "ENV key=value" should be used instead of legacy "ENV key value" format'],
    ],
    ["pairs", 'FROM scratch\nENV a=b c="d e"\nLABEL "a b"=c', []],
  ],
  InvalidBaseImagePlatform: [
    [
      "another processor",
      "FROM known",
      ['1 InvalidBaseImagePlatform: Base image known was pulled with platform "linux/arm64", expected "linux/amd64" for current build'],
      { base: { os: "linux", architecture: "arm64" } },
    ],
    ["another variant", "FROM known", [], { base: { os: "linux", architecture: "amd64", variant: "v2" } }],
    ["the same", "FROM known", []],
    ["not known", "FROM elsewhere", []],
  ],
  RedundantTargetPlatform: [
    [
      "without braces",
      "FROM --platform=$TARGETPLATFORM scratch",
      ["1 RedundantTargetPlatform: Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior"],
    ],
    [
      "with braces",
      "FROM --platform=${TARGETPLATFORM} scratch",
      ["1 RedundantTargetPlatform: Setting platform to predefined ${TARGETPLATFORM} in FROM is redundant as this is the default behavior"],
    ],
    ["as a part", "FROM --platform=${TARGETPLATFORM}/v2 scratch", []],
    ["another", "FROM --platform=$BUILDPLATFORM scratch", []],
  ],
  SecretsUsedInArgOrEnv: [
    [
      "names",
      "FROM scratch\nARG SECRET_PASSPHRASE\nENV SUPER_Secret=foo\nENV password=bar secret=baz\nARG super_duper_secret_token=foo auth=bar\nENV apikey=bar sunflower=foo\nENV git_key=\nENV PUBLIC_KEY=\nARG public_token TOKEN_FILE KEY_VERSION keyboard monkey",
      [
        ["2", "ARG", "SECRET_PASSPHRASE"],
        ["3", "ENV", "SUPER_Secret"],
        ["4", "ENV", "password"],
        ["4", "ENV", "secret"],
        ["5", "ARG", "super_duper_secret_token"],
        ["5", "ARG", "auth"],
        ["6", "ENV", "apikey"],
        ["7", "ENV", "git_key"],
      ].map(
        ([line, keyword, name]) =>
          `${line} SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (${keyword} "${name}")`,
      ),
    ],
    ["before FROM", "ARG TOKEN\nFROM scratch", []],
    ["elsewhere", "FROM scratch\nLABEL token=x", []],
  ],
  InvalidDefaultArgInFrom: [
    [
      "an empty tag",
      "ARG VERSION\nFROM busybox:$VERSION",
      ["2 InvalidDefaultArgInFrom: Default value for ARG busybox:$VERSION results in empty or invalid base image name"],
      { buildArgs: { VERSION: "latest" } },
    ],
    [
      "an empty name",
      "ARG IMAGE\nFROM $IMAGE",
      ["2 InvalidDefaultArgInFrom: Default value for ARG $IMAGE results in empty or invalid base image name"],
      { buildArgs: { IMAGE: "busybox" } },
    ],
    [
      "half a name",
      'ARG SFX="box:"\nFROM busy${SFX}',
      ["2 InvalidDefaultArgInFrom: Default value for ARG busy${SFX} results in empty or invalid base image name"],
      { buildArgs: { SFX: "box:latest" } },
    ],
    ["a good default", 'ARG VERSION="latest"\nFROM busybox:${VERSION}', []],
    ["an empty suffix", 'ARG V=""\nFROM busybox:stable${V}', [], { buildArgs: { V: "-musl" } }],
    ["an unset suffix", "ARG V\nFROM busybox:stable${V}", [], { buildArgs: { V: "-musl" } }],
    ["no variable", "FROM scratch AS a\nFROM a", []],
  ],
  FromPlatformFlagConstDisallowed: [
    [
      "a constant",
      "FROM --platform=linux/amd64 scratch",
      ['1 FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value "linux/amd64"'],
    ],
    ["named after the processor", "FROM --platform=linux/amd64 scratch AS my_amd64_stage", []],
    ["named after the system", "FROM --platform=linux/amd64 scratch AS linux", []],
    ["a variable with a constant default", "FROM --platform=${X:-linux/amd64} scratch", []],
  ],
  CopyIgnoredFile: [
    [
      "COPY and ADD",
      "FROM scratch\nCOPY Dockerfile .\nADD Dockerfile /windy",
      [
        '2 CopyIgnoredFile: Attempting to Copy file "Dockerfile" that is excluded by .dockerignore',
        '3 CopyIgnoredFile: Attempting to Add file "Dockerfile" that is excluded by .dockerignore',
      ],
      { ignore: "\nDockerfile\n" },
    ],
    [
      "below an excluded directory",
      "FROM scratch\nCOPY ./a/b/ /",
      ['2 CopyIgnoredFile: Attempting to Copy file "a/b" that is excluded by .dockerignore'],
      { ignore: "a" },
    ],
    [
      "a wildcard that is excluded as it stands",
      "FROM scratch\nCOPY *.md /",
      ['2 CopyIgnoredFile: Attempting to Copy file "*.md" that is excluded by .dockerignore'],
      { ignore: "*.md" },
    ],
    [
      "everything",
      "FROM scratch\nCOPY . /",
      ['2 CopyIgnoredFile: Attempting to Copy file "." that is excluded by .dockerignore'],
      { ignore: "**" },
    ],
    [
      "names beyond ASCII",
      "FROM scratch\nCOPY größe /",
      ['2 CopyIgnoredFile: Attempting to Copy file "größe" that is excluded by .dockerignore'],
      { ignore: "gr*e" },
    ],
    ["the whole, of which a part is excluded", "FROM scratch\nCOPY . /\nCOPY / /x/", [], { ignore: "a\n*.md" }],
    ["taken in again", "FROM scratch\nCOPY b /\nCOPY . /", [], { ignore: "*\n!b" }],
    ["something below is taken in again", "FROM scratch\nCOPY a /", [], { ignore: "a\n!a/b" }],
    ["from a stage", "FROM scratch AS a\nFROM scratch\nCOPY --from=a /Dockerfile .", [], { ignore: "Dockerfile" }],
    ["a URL", "FROM scratch\nADD https://example.com/Dockerfile /x/", [], { ignore: "**" }],
    ["a heredoc", "FROM scratch\nCOPY <<Dockerfile /\nx\nDockerfile", [], { ignore: "Dockerfile" }],
    ["another file", "FROM scratch\nCOPY Dockerfile /foobar", [], { ignore: "foobar" }],
    ["an ignore file that cannot be read", "FROM scratch\nCOPY a /", [], { ignore: "!" }],
    ["no ignore file", "FROM scratch\nCOPY a /", []],
  ],
  InvalidDefinitionDescription: [
    [
      "other comments",
      "# check=experimental=InvalidDefinitionDescription\n# bar this is the bar\nARG foo=bar\n# BasE this is the BasE image\nFROM scratch AS base\n# definitely a bad comment\nARG version=latest\n# definitely a bad comment\nARG foo=baz bar=qux baz=quux",
      [
        "3 InvalidDefinitionDescription: Comment for ARG should follow the format: `# foo <description>`",
        "5 InvalidDefinitionDescription: Comment for FROM should follow the format: `# base <description>`",
        "7 InvalidDefinitionDescription: Comment for ARG should follow the format: `# version <description>`",
        "9 InvalidDefinitionDescription: Comment for ARG should follow the format: `# <arg_key> <description>`",
      ],
    ],
    [
      "descriptions",
      "# check=experimental=InvalidDefinitionDescription\n# foo this is the foo\nARG foo=bar\n\n# base this is the base image\nFROM scratch AS base\n# version this is the version number\nARG version=latest\n# baz this is the baz\nARG foo=baz bar=qux baz=quux\n# x\n#\nARG bit=bat\n# x\n\nARG bot\n# comment for something other than ARG or FROM\nCOPY Dockerfile .",
      [],
    ],
    ["options are no comment", "# check=experimental=all\nFROM scratch\n# check=skip=UndefinedVar\nARG A", []],
    ["a stage without a name", "# check=experimental=all\n# x\nFROM scratch", []],
    ["off unless asked for", "# x\nARG A\nFROM scratch", []],
  ],
  ExposeProtoCasing: [
    [
      "upper",
      "FROM scratch\nEXPOSE 80/TcP 81/tcp 82",
      ["2 ExposeProtoCasing: Defined protocol '80/TcP' in EXPOSE instruction should be lowercase"],
    ],
    [
      "from a variable",
      "FROM scratch\nENV P='80/UDP 81'\nEXPOSE $P",
      ["3 ExposeProtoCasing: Defined protocol '80/UDP' in EXPOSE instruction should be lowercase"],
    ],
    ["lower", "FROM scratch\nEXPOSE 80/udp", []],
  ],
  ExposeInvalidFormat: [
    [
      "each",
      "FROM scratch\nEXPOSE 127.0.0.1:80:80 5000:5000 [::1]:8080:8080/tcp 80",
      ["127.0.0.1:80:80", "5000:5000", "[::1]:8080:8080/tcp"].map(
        (port) => `2 ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '${port}'`,
      ),
    ],
    ["ranges", "FROM scratch\nEXPOSE 80-82/tcp", []],
  ],
};

describe("the rules", () => {
  it("are BuildKit's 22, each with rows here", () => {
    const names = rules().map(({ name }) => name);
    expect(names).toHaveLength(22);
    expect(Object.keys(table).sort()).toEqual([...names].sort());
  });

  it("say nothing about a Dockerfile that is as it should be", () => {
    const text = 'FROM scratch AS base\nCOPY a /a\nFROM base\nARG A=1\nENV B=$A\nWORKDIR /w\nEXPOSE 80\nCMD ["/a"]\n';
    expect(findingsOf(text, { ignore: "*.md" })).toEqual([]);
  });

  it.each(rules().filter(({ name }) => !["InvalidBaseImagePlatform", "CopyIgnoredFile"].includes(name)))(
    "$name is described by a Dockerfile that breaks it beside one that does not",
    ({ name, experimental, page }) => {
      const breaks = (text: string): boolean => {
        const whole = /^\s*(FROM|#.*\n+FROM|ARG.*\n+FROM)/i.test(text) ? text : `FROM scratch\n${text}`;
        // A base that is known, so that no rule has a reason to keep silent.
        const known = whole.replaceAll(/^(FROM (?:--\S+ )?)(alpine|nginx)\b/gim, "$1scratch");
        const report = checkText(experimental ? `# check=experimental=all\n${known}` : known, { buildArgs: { TAG: "latest" } });
        return report.findings.some(({ rule }) => rule === name);
      };
      expect([breaks(page.bad), breaks(page.good)]).toEqual([true, false]);
    },
  );
});

describe.each(Object.entries(table))("%s", (_rule, rows) => {
  it.each(rows.map(([name, text, expected, options]) => ({ name, text, expected, options })))("$name", ({ text, expected, options }) => {
    expect(findingsOf(text, options)).toEqual(expected);
  });
});
