import { expect, it } from "vitest";
import { type FailedCommand, failureHints } from "../../../builder/steps/failure-hint.ts";

const secret = { type: "secret", id: "tok", target: "/run/secrets/tok", required: false, mode: 0o400, uid: 0, gid: 0 } as const;

const notGiven = 'the secret "tok" was not given: --secret id=tok,src=FILE or --secret id=tok,env=VARIABLE';
const notFound =
  "127 means that a command was not found: it is not in the image or not on its PATH, or it is a script whose first line names a program that is not there, as one with CRLF line ends does";

it.each<[what: string, failed: Partial<FailedCommand>, hints: readonly string[]]>([
  ["any other code", { code: 1, tail: ["permission denied"] }, []],
  ["a signal", {}, []],
  ["a command that is not there", { code: 127 }, [notFound]],
  [
    "a file that is not executable",
    { code: 126, tail: ["/bin/sh: /run.sh: Permission denied"] },
    ["126 means that a file may not be run: COPY --chmod=755 makes it executable"],
  ],
  ["a file of another machine", { code: 126, tail: ["/bin/sh: /run: Exec format error"] }, []],
  ["a secret that was not given", { code: 1, withoutSecrets: [secret] }, [notGiven]],
  ["a command that is not there, and a secret that was not given", { code: 127, withoutSecrets: [secret] }, [notFound, notGiven]],
  [
    "a secret whose id is no word, which makes no command",
    { code: 1, withoutSecrets: [{ ...secret, id: "a\u001b[31m; rm x" }] },
    ['the secret "a\\u001b[31m; rm x" was not given'],
  ],
])("of a failure with %s", (_what, failed, hints) => {
  expect(failureHints({ tail: [], withoutSecrets: [], ...failed })).toEqual(hints);
});
