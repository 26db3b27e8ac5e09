import { describe, expect, it } from "vitest";
import { connectionFailure } from "../../../store/registry/http-failure.ts";
import { RegistryError } from "../../../store/registry/registry-error.ts";

const context = { host: "host:5000", registry: "host:5000", reached: false };
const coded = (code: string, more = {}) => Object.assign(new Error("what Node says"), { code, ...more });

describe("a failed connection", () => {
  it.each<[code: string, kind: "TLS" | "passing" | "final", problem: string]>([
    ["EAI_AGAIN", "passing", "the name server does not answer (EAI_AGAIN)"],
    ["ENOTFOUND", "final", "the name does not resolve (ENOTFOUND)"],
    ["ECONNRESET", "passing", "the connection broke (ECONNRESET)"],
    ["EPIPE", "passing", "the connection broke (EPIPE)"],
    ["EHOSTUNREACH", "passing", "the host cannot be reached (EHOSTUNREACH)"],
    ["EACCES", "final", "the connection failed (EACCES)"],
    ["ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC", "passing", "the connection broke (ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC)"],
    ["CERT_HAS_EXPIRED", "TLS", "its certificate has expired"],
    ["CERT_NOT_YET_VALID", "TLS", "its certificate is not valid yet"],
    ["CERT_REVOKED", "TLS", "its certificate is not valid (CERT_REVOKED)"],
    ["SELF_SIGNED_CERT_IN_CHAIN", "TLS", "its certificate is signed by an unknown authority (SELF_SIGNED_CERT_IN_CHAIN)"],
    ["ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE", "TLS", "it refuses our side of TLS (ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE)"],
    ["ERR_SSL_UNSUPPORTED_PROTOCOL", "TLS", "TLS cannot be agreed on (ERR_SSL_UNSUPPORTED_PROTOCOL)"],
    ["EPROTO", "TLS", "TLS cannot be agreed on (EPROTO)"],
  ])("%s is %s", (code, kind, problem) => {
    const cause = coded(code);
    expect(connectionFailure(cause, context)).toMatchObject({
      code: kind === "TLS" ? "REGISTRY_TLS" : "REGISTRY_UNREACHABLE",
      retryable: kind === "passing",
      message: `host:5000: ${problem}`,
      cause,
    });
  });

  it("to a name that did resolve before is a passing one", () => {
    expect(connectionFailure(coded("ENOTFOUND"), { ...context, reached: true }).retryable).toBe(true);
  });

  it("names the proxy in between", () => {
    const { message } = connectionFailure(coded("ECONNREFUSED"), { ...context, proxy: "proxy:3128" });
    expect(message).toBe("host:5000 through the proxy proxy:3128: the connection is refused (ECONNREFUSED)");
  });

  it("without a code says what it knows", () => {
    expect(connectionFailure(new Error("odd"), context).message).toBe("host:5000: odd");
    expect(connectionFailure("odd", context).message).toBe("host:5000: odd");
  });

  it("that is described already stays as it is", () => {
    const error = new RegistryError("REGISTRY_FAILED", "host answers 500");
    expect(connectionFailure(error, context)).toBe(error);
  });
});
