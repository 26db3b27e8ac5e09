import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { findHostCa } from "../../../builder/sandbox/host-ca.ts";

const debianBundle = "/etc/ssl/certs/ca-certificates.crt";

describe("the host's CA bundle", () => {
  it("is found, and leaves nothing where layers reach; else the error says what to install", async () => {
    const found = await findHostCa().catch((error: unknown) => error);
    if (!existsSync(debianBundle) && found instanceof Error) {
      expect(found).toMatchObject({ code: "NO_HOST_CA", hint: "install the package ca-certificates, or build without --host-ca" });
      return;
    }
    if (found instanceof Error || typeof found !== "object" || found === null) throw found;
    const { target, aptOption, env } = found as Awaited<ReturnType<typeof findHostCa>>;
    expect(target).toMatch(/^\/dev\//);
    expect(env).toEqual({
      SSL_CERT_FILE: target,
      CURL_CA_BUNDLE: target,
      REQUESTS_CA_BUNDLE: target,
      PIP_CERT: target,
      NODE_EXTRA_CA_CERTS: target,
      GIT_SSL_CAINFO: target,
      CARGO_HTTP_CAINFO: target,
      AWS_CA_BUNDLE: target,
      NIX_SSL_CERT_FILE: target,
    });
    expect(aptOption).toBe(`Acquire::https::CAInfo "${target}";`);
  });
});
