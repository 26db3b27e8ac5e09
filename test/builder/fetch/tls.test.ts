import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { GitSource, HttpSource } from "../../../builder/plan/operation.ts";
import { digestOf } from "../../../store/digest.ts";
import { type HttpFiles, startHttpFiles } from "../../support/http-files.ts";
import { needs } from "../../support/needs.ts";
import { type PrivateAuthority, privateAuthority } from "../../support/registry/private-ca.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { failureOf } from "./listing.ts";
import { testSources } from "./sources.ts";

describe("a server with a certificate of its own", needs("openssl"), () => {
  let authority: PrivateAuthority;
  let web: HttpFiles;
  let plain: HttpFiles;

  beforeAll(async () => {
    authority = privateAuthority(temporaryDirectory());
    web = await startHttpFiles(authority.issue("web"));
    plain = await startHttpFiles();
    web.serve("/f", "hello");
    web.serve("/down", { location: plain.url("/f") });
    web.serve("/down.git/info/refs", { location: plain.url("/down.git/info/refs") });
    plain.serve("/f", "plain");
  });

  afterAll(async () => {
    await web.close();
    await plain.close();
  });

  const file = (path: string): HttpSource => ({ kind: "http", url: web.url(path), name: "f" });
  const repository = (path: string): GitSource => ({ kind: "git", remote: web.url(path), keepGitDir: false, submodules: true });
  const trusting = () => testSources({ settings: { attempts: 1, hosts: { [web.host]: { ca: authority.ca } } } });

  it("is not believed", async () => {
    await using test = await testSources({ settings: { attempts: 1 } });
    expect(await failureOf(test.sources.http(file("/f")))).toMatch(
      /^FETCH_FAILED: downloading .*: its certificate is signed by an unknown authority/,
    );
    const failure = test.sources.git(repository("/x.git"));
    await expect(failure).rejects.toMatchObject({ code: "GIT_FAILED", hint: expect.stringContaining("ca = ") });
  });

  it("is believed where the settings name its authority", async () => {
    await using test = await trusting();
    expect((await test.sources.http(file("/f"))).digest).toBe(digestOf("hello"));
    expect(await failureOf(test.sources.git(repository("/x.git")))).toBe(
      `GIT_FAILED: asking ${web.url("/x.git")} for HEAD: repository '${web.url("/x.git")}/' not found`,
    );
  });

  it("is believed where the settings say that it need not be checked", async () => {
    await using test = await testSources({ settings: { attempts: 1, hosts: { [web.host]: { insecure: true } } } });
    expect((await test.sources.http(file("/f"))).digest).toBe(digestOf("hello"));
    expect(await failureOf(test.sources.git(repository("/x.git")))).toContain("not found");
  });

  it("cannot lead out of TLS", async () => {
    await using test = await trusting();
    expect(await failureOf(test.sources.http(file("/down")))).toBe(
      `FETCH_FAILED: downloading ${web.url("/down")}: ${web.host} answers 302, a redirect to plain http at ${plain.host}`,
    );
    expect(await failureOf(test.sources.git(repository("/down.git")))).toMatch(/^GIT_FAILED: asking .*(?:not supported|disabled)/);
    expect(plain.requests).toEqual([]);
  });
});
