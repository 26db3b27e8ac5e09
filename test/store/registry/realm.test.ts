import { describe, expect, it } from "vitest";
import { endpointsFor, type HostRules } from "../../../store/registry/endpoint.ts";
import { mayRedirect, realmEndpoint, realmOf } from "../../../store/registry/realm.ts";

const insecure = { insecure: true };

/** How a registry's token server is spoken to: "refused", "plain http", with its certificate "checked" or "unchecked". */
function spokenTo(registry: string, realm: string, rules: HostRules): string {
  const endpoint = endpointsFor({ registry, repository: "app" }, { ...rules, rewrites: [] }).writing;
  let url: URL;
  try {
    url = realmOf({ scheme: "bearer", realm }, endpoint, rules);
  } catch (error) {
    expect(error).toMatchObject({ code: "REGISTRY_PROTOCOL" });
    return "refused";
  }
  if (url.protocol === "http:") return "plain http";
  return realmEndpoint(url, endpoint, rules).insecure ? "unchecked" : "checked";
}

describe("the token server that a registry names", () => {
  it.each<[name: string, registry: string, realm: string, hosts: HostRules["hosts"], expected: string]>([
    ["with TLS", "r.example", "https://auth.example/token", {}, "checked"],
    ["without TLS", "r.example", "http://auth.example/token", {}, "refused"],
    [
      "attack: a certificate that an insecure registry's server elsewhere shows",
      "r.example",
      "https://auth.example/",
      { "r.example": insecure },
      "checked",
    ],
    ["attack: plain http elsewhere, from an insecure registry", "r.example", "http://auth.example/", { "r.example": insecure }, "refused"],
    ["elsewhere, and insecure by the settings", "r.example", "https://auth.example/", { "auth.example": insecure }, "unchecked"],
    ["elsewhere, and plain http by the settings", "r.example", "http://auth.example:81/", { "auth.example:81": insecure }, "plain http"],
    ["an insecure registry itself", "r.example:5000", "https://r.example:5000/token", { "r.example:5000": insecure }, "unchecked"],
    ["an insecure registry's other port", "r.example:5000", "https://r.example:5001/", { "r.example:5000": insecure }, "unchecked"],
    [
      "an insecure registry's other port, plain http",
      "r.example:5000",
      "http://r.example:5001/",
      { "r.example:5000": insecure },
      "plain http",
    ],
    [
      "an insecure registry's other port, secure by the settings",
      "r.example:5000",
      "https://r.example:5001/",
      { "r.example:5000": insecure, "r.example:5001": { insecure: false } },
      "checked",
    ],
    [
      "an insecure registry's other port, plain http, secure by the settings",
      "r.example:5000",
      "http://r.example:5001/",
      { "r.example:5000": insecure, "r.example:5001": { insecure: false } },
      "refused",
    ],
    ["on this machine, of a registry on this machine", "localhost:5000", "http://127.0.0.1:5001/", {}, "plain http"],
    ["on this machine, with TLS", "localhost:5000", "https://127.0.0.1:5001/", {}, "checked"],
    ["on this machine, of an insecure registry", "r.example", "http://localhost:5001/", { "r.example": insecure }, "plain http"],
    ["on this machine, of a registry elsewhere", "r.example", "http://localhost:5001/", {}, "refused"],
    ["elsewhere, of a registry on this machine", "localhost:5000", "http://auth.example/", {}, "refused"],
    ["attack: the host in capitals", "r.example", "http://AUTH.example/", { "r.example": insecure }, "refused"],
  ])("%s", (_name, registry, realm, hosts, expected) => {
    expect(spokenTo(registry, realm, { hosts, insecure: false })).toBe(expected);
  });

  it.each<[realm: string, hosts: HostRules["hosts"], expected: string]>([
    ["https://auth.example/", {}, "unchecked"],
    ["http://auth.example/", {}, "plain http"],
    ["https://auth.example/", { "auth.example": { insecure: false } }, "checked"],
    ["http://auth.example/", { "auth.example": { insecure: false } }, "refused"],
  ])("%s with %j where all hosts are insecure", (realm, hosts, expected) => {
    expect(spokenTo("r.example", realm, { hosts, insecure: true })).toBe(expected);
  });

  it.each<[from: string, to: string, hosts: HostRules["hosts"], expected: boolean]>([
    ["https://auth.example/", "https://other.example/", {}, true],
    ["https://auth.example/", "http://auth.example/", { "auth.example": insecure }, false],
    ["http://auth.example/", "http://other.example/", { "auth.example": insecure, "r.example": insecure }, false],
    ["http://auth.example/", "http://other.example/", { "auth.example": insecure, "other.example": insecure }, true],
  ])("redirects from %s to %s with %j: %s", (from, to, hosts, expected) => {
    const rules = { hosts, insecure: false };
    const endpoint = endpointsFor({ registry: "r.example", repository: "app" }, { ...rules, rewrites: [] }).writing;
    expect(mayRedirect(new URL(from), new URL(to), endpoint, rules)).toBe(expected);
  });
});
