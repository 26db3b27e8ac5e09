import { describe, expect, it } from "vitest";
import { digestOf } from "../../store/digest.ts";
import { familiarName, fullName, parseReference } from "../../store/reference.ts";

const digest = digestOf("x");

describe("parseReference", () => {
  it.each<[text: string, full: string, familiar: string]>([
    ["app", "docker.io/library/app:latest", "app"],
    ["app:latest", "docker.io/library/app:latest", "app"],
    ["app:v1.2-rc_3", "docker.io/library/app:v1.2-rc_3", "app:v1.2-rc_3"],
    ["me/app", "docker.io/me/app:latest", "me/app"],
    ["docker.io/app", "docker.io/library/app:latest", "app"],
    ["docker.io/library/app:1", "docker.io/library/app:1", "app:1"],
    ["index.docker.io/me/app", "docker.io/me/app:latest", "me/app"],
    ["localhost/app", "localhost/app:latest", "localhost/app"],
    ["localhost:5000/app", "localhost:5000/app:latest", "localhost:5000/app"],
    ["host:5000/a/b/c:t", "host:5000/a/b/c:t", "host:5000/a/b/c:t"],
    ["example.com/app", "example.com/app:latest", "example.com/app"],
    ["example/app", "docker.io/example/app:latest", "example/app"],
    ["Host/app", "Host/app:latest", "Host/app"],
    ["[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app"],
    ["127.0.0.1:65535/app", "127.0.0.1:65535/app:latest", "127.0.0.1:65535/app"],
    ["xn--bcher-kva.example/app", "xn--bcher-kva.example/app:latest", "xn--bcher-kva.example/app"],
    ["DOCKER.IO/app", "docker.io/library/app:latest", "app"],
    ["Index.docker.io/me/app", "docker.io/me/app:latest", "me/app"],
    ["a__b/c-d/e--f/g.h", "docker.io/a__b/c-d/e--f/g.h:latest", "a__b/c-d/e--f/g.h"],
    [`app@${digest}`, `docker.io/library/app@${digest}`, `app@${digest}`],
    [`app:v1@${digest}`, `docker.io/library/app:v1@${digest}`, `app:v1@${digest}`],
    [`app:latest@${digest}`, `docker.io/library/app:latest@${digest}`, `app:latest@${digest}`],
    ["docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b"],
    ["cafe", "docker.io/library/cafe:latest", "cafe"],
  ])("reads %s", (text, full, familiar) => {
    const reference = parseReference(text);
    expect(fullName(reference)).toBe(full);
    expect(familiarName(reference)).toBe(familiar);
    expect(fullName(parseReference(familiar))).toBe(full);
  });

  it.each<[text: string, message: string, hint?: string]>([
    ["", 'reading the image name "": it is empty'],
    ["app:bad:tag", 'reading the image name "app:bad:tag": the tag "bad:tag" cannot hold ":"'],
    ["host:5000/app:a:b", 'reading the image name "host:5000/app:a:b": the tag "a:b" cannot hold ":"'],
    ["App", 'reading the image name "App": "App" must be lower case', 'try "app"'],
    ["me/App:v1", 'reading the image name "me/App:v1": "App" must be lower case', 'try "app"'],
    ["a//b", 'reading the image name "a//b": a part of the name is empty'],
    ["/app", 'reading the image name "/app": a part of the name is empty'],
    ["app/", 'reading the image name "app/": a part of the name is empty'],
    ["app:", 'reading the image name "app:": the tag "" must be 1–128 of letters, digits, "_", "." and "-", not beginning with "." or "-"'],
    [
      "app:-x",
      'reading the image name "app:-x": the tag "-x" must be 1–128 of letters, digits, "_", "." and "-", not beginning with "." or "-"',
    ],
    ["../etc", 'reading the image name "../etc": ".." is no registry host'],
    ["host.x:99999/app", 'reading the image name "host.x:99999/app": "host.x:99999" is no registry host'],
    ["host.x:0/app", 'reading the image name "host.x:0/app": "host.x:0" is no registry host'],
    ["127.0.0.999/app", 'reading the image name "127.0.0.999/app": "127.0.0.999" is no registry host'],
    ["1.2.3.4.5/app", 'reading the image name "1.2.3.4.5/app": "1.2.3.4.5" is no registry host'],
    ["127.1/app", 'reading the image name "127.1/app": "127.1" is no registry host'],
    ["0177.0.0.1/app", 'reading the image name "0177.0.0.1/app": "0177.0.0.1" is no registry host'],
    ["2130706433:80/app", 'reading the image name "2130706433:80/app": "2130706433:80" is no registry host'],
    ["host.0x7f/app", 'reading the image name "host.0x7f/app": "host.0x7f" is no registry host'],
    ["[1:2]/app", 'reading the image name "[1:2]/app": "[1:2]" is no registry host'],
    ["xn--a.example/app", 'reading the image name "xn--a.example/app": "xn--a.example" is no registry host'],
    ["a/../b", 'reading the image name "a/../b": ".." must be lower-case letters and digits, separated by ".", "_", "__" or dashes'],
    ["a b", 'reading the image name "a b": "a b" must be lower-case letters and digits, separated by ".", "_", "__" or dashes'],
    ["app@sha256:12", 'reading the image name "app@sha256:12": "sha256:12" is not sha256:<64 hex digits>'],
    ["https://ghcr.io/me/app:v1", 'reading the image name "https://ghcr.io/me/app:v1": it is a URL', "write ghcr.io/me/app:v1"],
    ["http://host:5000/app/", 'reading the image name "http://host:5000/app/": it is a URL', "write host:5000/app"],
    [`docker://app@${digest}`, `reading the image name "docker://app@${digest}": it is a URL`, `write app@${digest}`],
    ["docker://", 'reading the image name "docker://": it is a URL'],
    [
      "an attack on logs: https://me:secret@host/app?token=secret",
      'reading the image name "an attack on logs: https://host/app": it is a URL',
      "write host/app",
    ],
    ["a".repeat(256), `reading the image name "${"a".repeat(256)}": longer than 255 characters`],
    ["a".repeat(64), `reading the image name "${"a".repeat(64)}": 64 hex digits are an image id, not a name`],
    [
      `app:${"t".repeat(129)}`,
      `reading the image name "app:${"t".repeat(129)}": the tag "${"t".repeat(129)}" must be 1–128 of letters, digits, "_", "." and "-", not beginning with "." or "-"`,
    ],
  ])("refuses %j", (text, message, hint) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: "INVALID_REFERENCE", message, hint }));
  });

  it("takes no time over a hostile name", () => {
    const started = performance.now();
    expect(() => parseReference(`${"a-".repeat(50_000)}!`)).toThrow("must be lower-case");
    expect(() => parseReference(`${"a.".repeat(50_000)}/x`)).toThrow(/" is no registry host$/);
    expect(performance.now() - started).toBeLessThan(500);
  });
});
