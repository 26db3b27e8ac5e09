import { describe, expect, it } from "vitest";
import { flatOwnersFilter } from "../../runtime-addon/index.ts";
import { needs } from "../support/needs.ts";
import { box, lines } from "./box.ts";

describe("a sandbox where files can belong to root only", needs("root", "privateMounts"), () => {
  it("lets changes of owners and groups seem to succeed, and nothing else", async () => {
    const give = "touch /f; ln -s f /l; chown 5:6 /f && chown -h 5 /l && chgrp 7 /f && stat -c %u:%g /f /l";
    expect(lines(await box(give))).toEqual(["5:7", "5:0"]);
    const others = ["chmod 4711 /f && stat -c %a /f", "mknod /n c 1 3 && ls -l /n | cut -c1"];
    const run = await box([give, ...others].join("; "), { process: { filters: [flatOwnersFilter()] } });
    expect(lines(run)).toEqual(["0:0", "0:0", "4711", "c"]);
  });

  it("keeps the sandbox's own filter", async () => {
    const run = await box("unshare -U true 2>/dev/null || echo refused", { process: { filters: [flatOwnersFilter()] } });
    expect(lines(run)).toEqual(["refused"]);
  });

  it("has a program for every architecture that it knows, and says which it does not", () => {
    for (const name of ["x64", "arm64"]) expect(flatOwnersFilter(name).length % 8).toBe(0);
    expect(() => flatOwnersFilter("mips")).toThrow(
      expect.objectContaining({ code: "INVALID_SPEC", message: "planning the sandbox: the system calls of architecture mips are unknown" }),
    );
  });
});
