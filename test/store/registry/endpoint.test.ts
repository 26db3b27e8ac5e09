import { describe, expect, it } from "vitest";
import type { CredentialSource } from "../../../store/registry/credential.ts";
import { type Endpoint, endpointsFor, isLoopback } from "../../../store/registry/endpoint.ts";
import { openRegistry } from "../../../store/registry/registry.ts";
import type { HostSettings, RewriteRule } from "../../../store/registry/settings.ts";
import { fakeImage } from "../../support/registry/fake-image.ts";
import { startFakeRegistry } from "../../support/registry/fake-registry.ts";

/** "registry repository at origin", with what is special about it. */
function shown({ registry, repository, origin, mirrorOf, insecure, plainHttp }: Endpoint): string {
  const notes = [mirrorOf === undefined ? "" : `for ${mirrorOf}`, insecure ? "insecure" : "", plainHttp ? "or plain http" : ""];
  return [`${registry} ${repository} at ${origin}`, ...notes.filter((note) => note !== "")].join(", ");
}

function endpoints(
  name: string,
  hosts: Readonly<Record<string, HostSettings>> = {},
  rewrites: readonly RewriteRule[] = [],
  insecure = false,
) {
  const slash = name.indexOf("/");
  return endpointsFor({ registry: name.slice(0, slash), repository: name.slice(slash + 1) }, { hosts, rewrites, insecure });
}

describe("the servers of a repository", () => {
  it("are all insecure where hosts are in general, but for those that say otherwise", () => {
    const hosts = { "docker.io": { mirrors: ["mirror"] }, "host:5000": { insecure: false } };
    const servers = (name: string) => endpoints(name, hosts, [], true).reading.map(shown);
    expect(servers("docker.io/library/debian")).toEqual([
      "mirror library/debian at https://mirror, for docker.io, insecure, or plain http",
      "docker.io library/debian at https://registry-1.docker.io, insecure, or plain http",
    ]);
    expect(servers("host:5000/a")).toEqual(["host:5000 a at https://host:5000"]);
  });

  it.each<[name: string, hosts: Readonly<Record<string, HostSettings>>, reading: readonly string[]]>([
    ["docker.io/library/debian", {}, ["docker.io library/debian at https://registry-1.docker.io"]],
    ["ghcr.io/a/b", {}, ["ghcr.io a/b at https://ghcr.io"]],
    ["host:5000/a", {}, ["host:5000 a at https://host:5000"]],
    ["host:5000/a", { host: { insecure: true } }, ["host:5000 a at https://host:5000"]],
    ["host:5000/a", { "host:5000": { insecure: true } }, ["host:5000 a at https://host:5000, insecure, or plain http"]],
    ["localhost/a", {}, ["localhost a at https://localhost, or plain http"]],
    ["localhost:5000/a", { "localhost:5000": { insecure: false } }, ["localhost:5000 a at https://localhost:5000, or plain http"]],
    ["[::1]:5000/a", {}, ["[::1]:5000 a at https://[::1]:5000, or plain http"]],
    // Origins are as URLs have them, or they would equal no URL's.
    ["LOCALHOST:5555/a", {}, ["LOCALHOST:5555 a at https://localhost:5555, or plain http"]],
    [
      "GHCR.IO/a/b",
      { "ghcr.io": { mirrors: ["Mirror.example"] } },
      ["Mirror.example a/b at https://mirror.example, for GHCR.IO", "GHCR.IO a/b at https://ghcr.io"],
    ],
    ["[0:0:0:0:0:0:0:1]:5000/a", {}, ["[0:0:0:0:0:0:0:1]:5000 a at https://[::1]:5000, or plain http"]],
    // Plain http would be looked for at port 80.
    ["host:443/a", { "host:443": { insecure: true } }, ["host:443 a at https://host, insecure"]],
    ["host:443/a", { host: { insecure: true } }, ["host:443 a at https://host, insecure"]],
    ["host:443/a", { host: { insecure: true }, "host:443": { insecure: false } }, ["host:443 a at https://host"]],
    [
      "quay.io/a",
      { "quay.io": { mirrors: ["http://Cache:80"] } },
      ["Cache:80 a at http://cache, for quay.io", "quay.io a at https://quay.io"],
    ],
    [
      "docker.io/library/debian",
      { "docker.io": { mirrors: ["mirror.example", "http://cache:5000/hub/", "127.0.0.1:5001"] }, "mirror.example": { insecure: true } },
      [
        "mirror.example library/debian at https://mirror.example, for docker.io, insecure, or plain http",
        "cache:5000 hub/library/debian at http://cache:5000, for docker.io",
        "127.0.0.1:5001 library/debian at https://127.0.0.1:5001, for docker.io, or plain http",
        "docker.io library/debian at https://registry-1.docker.io",
      ],
    ],
    [
      "quay.io/a",
      { "quay.io": { mirrors: ["https://localhost:5000/deep/er", "docker.io/copies"] } },
      [
        "localhost:5000 deep/er/a at https://localhost:5000, for quay.io",
        "docker.io copies/a at https://registry-1.docker.io, for quay.io",
        "quay.io a at https://quay.io",
      ],
    ],
  ])("%s with %j", (name, hosts, reading) => {
    expect(endpoints(name, hosts).reading.map(shown)).toEqual(reading);
  });

  it("is the registry alone for writing", () => {
    expect(shown(endpoints("quay.io/a", { "quay.io": { mirrors: ["mirror.example"] } }).writing)).toBe("quay.io a at https://quay.io");
  });
});

describe("a host that is not written as URLs have it", () => {
  it.each<[auth: "basic" | "bearer"]>([["basic"], ["bearer"]])(
    "gets its credentials, and is spoken to over plain http (%s)",
    async (auth) => {
      await using registry = await startFakeRegistry({ auth });
      const image = await fakeImage();
      registry.putImage("app", "v1", image);
      const asked: string[] = [];
      const credentials: CredentialSource = {
        find: async (host) => {
          asked.push(host);
          return { kind: "basic", username: "user", password: "password" };
        },
      };
      const written = registry.host.replace("127.0.0.1", "LocalHost");
      await using client = openRegistry({ credentials });
      const found = await client.repository({ registry: written, repository: "app" }).manifest("v1");
      expect(found?.descriptor.digest).toBe(image.digest);
      expect(asked).toEqual([written]);
    },
  );
});

describe("what is no host", () => {
  it.each<[where: string, hosts: Readonly<Record<string, HostSettings>>, rewrites: readonly RewriteRule[], host: string]>([
    ["a mirror", { "quay.io": { mirrors: ["host:99999/x"] } }, [], "host:99999"],
    ["a mirror with a scheme", { "quay.io": { mirrors: ["http://../x"] } }, [], ".."],
    ["an empty mirror", { "quay.io": { mirrors: ["/x"] } }, [], ""],
    ["a rewrite rule", {}, [{ from: "quay.io", to: "a b" }], "a b"],
  ])("%s", (_where, hosts, rewrites, host) => {
    expect(() => endpoints("quay.io/a", hosts, rewrites)).toThrow(
      expect.objectContaining({ code: "INVALID_REFERENCE", message: `looking for a registry: "${host}" is no registry host` }),
    );
  });
});

describe("a rewrite rule", () => {
  it.each<[what: string, name: string, rules: readonly RewriteRule[], expected: string]>([
    ["of a whole registry", "docker.io/library/debian", [{ from: "docker.io", to: "corp.example/hub" }], "corp.example/hub/library/debian"],
    ["of one repository", "docker.io/library/debian", [{ from: "docker.io/library/debian", to: "corp/deb" }], "corp/deb"],
    ["ends at component borders", "docker.io/library/debian", [{ from: "docker.io/library/deb", to: "corp" }], "docker.io/library/debian"],
    ["does not match the beginning of a host", "docker.io.example/a", [{ from: "docker.io", to: "corp" }], "docker.io.example/a"],
    [
      "the longest wins, whatever the order",
      "docker.io/library/debian",
      [
        { from: "docker.io", to: "one" },
        { from: "docker.io/library", to: "two" },
        { from: "docker.io/lib", to: "three" },
      ],
      "two/debian",
    ],
    [
      "is applied once",
      "docker.io/a",
      [
        { from: "docker.io", to: "quay.io" },
        { from: "quay.io", to: "ghcr.io" },
      ],
      "quay.io/a",
    ],
    ["may end in slashes", "docker.io/a/b", [{ from: "docker.io/a/", to: "corp/x/" }], "corp/x/b"],
  ])("%s", (_what, name, rules, expected) => {
    const { registry, repository, writing } = endpoints(name, {}, rules);
    expect(`${registry}/${repository}`).toBe(expected);
    expect(`${writing.registry}/${writing.repository}`).toBe(expected);
  });

  it("comes before the mirrors: those of the new registry are asked", () => {
    const hosts = { "docker.io": { mirrors: ["one"] }, "quay.io": { mirrors: ["two"] } };
    const { reading } = endpoints("docker.io/a", hosts, [{ from: "docker.io", to: "quay.io" }]);
    expect(reading.map(({ registry }) => registry)).toEqual(["two", "quay.io"]);
  });
});

describe("loopback", () => {
  it.each([
    ["localhost", true],
    ["LOCALHOST:80", true],
    ["127.0.0.1", true],
    ["127.255.3.4:5000", true],
    ["[::1]", true],
    ["[::1]:5000", true],
    ["localhost.example", false],
    ["127.0.0.1.example:80", false],
    ["128.0.0.1", false],
    ["127.1", false],
    ["[::2]", false],
  ])("%s: %s", (host, expected) => {
    expect(isLoopback(host)).toBe(expected);
  });
});
