import { expect, it } from "vitest";
import { credentialHint, refusalHint, type SentCredential } from "../../../store/registry/refusal-hint.ts";

const some = (place?: { where: string; helper?: string }): SentCredential => ({ kind: "some", place });

it.each<[what: string, status: number, sent: SentCredential, hint: string]>([
  [
    "nothing",
    401,
    { kind: "none" },
    "no credentials were sent: tsbuild login HOST; many registries answer so too when the repository does not exist",
  ],
  [
    "nothing, with 403",
    403,
    { kind: "none" },
    "no credentials were sent: tsbuild login HOST; many registries answer so too when the repository does not exist",
  ],
  [
    "what a file has",
    401,
    some({ where: "/root/.docker/config.json" }),
    "the credentials sent were those in /root/.docker/config.json, and may be wrong or expired: tsbuild login HOST",
  ],
  [
    "what a file has, with 403",
    403,
    some({ where: "/root/.docker/config.json" }),
    "the credentials sent were those in /root/.docker/config.json: that account may not do this, its token may lack a scope for it, or the repository does not exist; another account: tsbuild login HOST",
  ],
  [
    "what a helper gave",
    401,
    some({ where: "/root/.docker/config.json", helper: "ecr-login" }),
    "the credentials sent were those of docker-credential-ecr-login, which /root/.docker/config.json names, and may be wrong or expired: tsbuild login HOST, or log in with the program that docker-credential-ecr-login belongs to",
  ],
  [
    "what a variable has, which login does not change",
    401,
    some({ where: "$DOCKER_AUTH_CONFIG" }),
    "the credentials sent were those in $DOCKER_AUTH_CONFIG, and may be wrong or expired: change $DOCKER_AUTH_CONFIG, which counts before what tsbuild login keeps",
  ],
  ["what a program gave", 401, some(), "the credentials sent were the given ones, and may be wrong or expired: tsbuild login HOST"],
])("a refusal of %s says what helps", (_what, status, sent, hint) => {
  expect(refusalHint(status, "HOST", sent)).toBe(hint);
});

it.each<[what: string, sent: SentCredential, offered: boolean]>([
  ["what login keeps", { kind: "some", place: { where: "/root/.docker/config.json", isLogin: true } }, true],
  ["what another program's file has", some({ where: "/run/containers/0/auth.json" }), false],
  ["what a variable has", some({ where: "$DOCKER_AUTH_CONFIG" }), false],
  ["what a helper gave", some({ where: "/root/.docker/config.json", helper: "ecr-login" }), false],
  ["what a program gave", some(), false],
])("to go on without %s is offered only where logout takes it away", (_what, sent, offered) => {
  const logout = "; or go on without them: tsbuild logout HOST";
  expect(credentialHint("HOST", sent)).toBe(`${refusalHint(401, "HOST", sent)}${offered ? logout : ""}`);
});
