import { execFileSync } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { temporaryDirectory } from "../support/temporary.ts";

const { EINTR, ENOMEM } = constants.errno;
const sources = fileURLToPath(new URL("../../runtime-addon/src/init", import.meta.url));
let program = "";

beforeAll(() => {
  program = join(temporaryDirectory("netlink"), "netlink-answers");
  const driver = fileURLToPath(new URL("netlink-answers.cc", import.meta.url));
  execFileSync("g++", ["-std=c++17", "-I", sources, "-o", program, driver, join(sources, "netlink.cc")]);
});

describe("of a list that the kernel gives", () => {
  it.each<[name: string, answers: readonly string[], errnoAndFound: string]>([
    ["all is taken", ["1", "2", "."], "0: 1 2"],
    ["an error at its end is one", ["1", `-${ENOMEM}`], `${ENOMEM}:`],
    ["what changed meanwhile is read again", ["1", "2!", ".", "1", "2", "3", "."], "0: 1 2 3"],
    ["what changed before its end is read again", ["1", "!", "1", "2", "."], "0: 1 2"],
    ["what changes all the time is an error", Array.from({ length: 20 }, () => ["1", "!"]).flat(), `${EINTR}:`],
  ])("%s", (_name, answers, errnoAndFound) => {
    expect(execFileSync(program, [...answers], { encoding: "utf8" })).toBe(errnoAndFound);
  });
});
