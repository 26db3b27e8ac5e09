import { expect, it } from "vitest";
import { type FailedCommand, failureHint } from "../../../builder/steps/failure-hint.ts";

const secret = { type: "secret", id: "tok", target: "/run/secrets/tok", required: false, mode: 0o400, uid: 0, gid: 0 } as const;

it.each<[what: string, failed: Partial<FailedCommand>, hint: string | undefined]>([
  ["any other code", { code: 1, tail: ["permission denied"] }, undefined],
  ["a signal", {}, undefined],
  [
    "a command that is not there",
    { code: 127 },
    "127 means that a command was not found: it is not in the image or not on its PATH, or it is a script whose first line names a program that is not there, as one with CRLF line ends does",
  ],
  [
    "a file that is not executable",
    { code: 126, tail: ["/bin/sh: /run.sh: Permission denied"] },
    "126 means that a file may not be run: COPY --chmod=755 makes it executable",
  ],
  ["a file of another machine", { code: 126, tail: ["/bin/sh: /run: Exec format error"] }, undefined],
  [
    "a secret that was not given",
    { code: 127, withoutSecrets: [secret] },
    'the secret "tok" was not given: --secret id=tok,src=FILE or --secret id=tok,env=VARIABLE',
  ],
])("of a failure with %s", (_what, failed, hint) => {
  expect(failureHint({ tail: [], withoutSecrets: [], ...failed })).toBe(hint);
});
