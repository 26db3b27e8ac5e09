import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, it } from "vitest";
import { searchWritten } from "../../store/written-files.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** Makes and removes directories, and puts files in their place, until it is killed. */
const CHURN = `
  const { mkdirSync, rmSync, writeFileSync } = require("node:fs");
  for (let i = 0; ; i = (i + 1) % 8) {
    const at = process.argv[1] + "/" + i;
    mkdirSync(at + "/a/b", { recursive: true });
    if (i === 0) process.stdout.write(".");
    rmSync(at, { recursive: true });
    writeFileSync(at, "");
    rmSync(at);
  }`;

it("goes through a directory in which others make and remove what they like", async () => {
  const directory = temporaryDirectory("churn");
  const churn = spawn(process.execPath, ["-e", CHURN, directory], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    await once(churn.stdout, "data");
    churn.stdout.resume();
    const patterns = [{ bytes: Buffer.from("nowhere-to-be-found"), breaks: "", id: "" }];
    for (let i = 0; i < 500; i++) expect(await searchWritten({ directory, sinceMs: 0, patterns })).toEqual([]);
  } finally {
    churn.kill("SIGKILL");
    await once(churn, "close");
  }
});
