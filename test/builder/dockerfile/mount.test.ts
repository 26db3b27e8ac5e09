import { describe, expect, it } from "vitest";
import { type DockerfileError, DockerfileErrors } from "../../../builder/dockerfile/errors.ts";
import { type MountSpec, mountSpec, parseMount } from "../../../builder/dockerfile/mount.ts";
import { parseDockerfile } from "../../../builder/dockerfile/parse.ts";

const specOf = (text: string): MountSpec => mountSpec(parseMount(text, "\\"), (value) => value);

/** All that is wrong with a RUN on line 2, by position. */
function errorsOf(text: string): readonly DockerfileError[] {
  try {
    parseDockerfile(`FROM a\n${text}`, "Dockerfile");
  } catch (error) {
    if (error instanceof DockerfileErrors) return error.errors;
    throw error;
  }
  return [];
}

describe("a mount says", () => {
  it.each<[text: string, spec: MountSpec]>([
    ["target=/a", { type: "bind", target: "/a" }],
    ["type=bind,source=s,target=/a", { type: "bind", source: "s", target: "/a" }],
    ["type=bind,src=s,dst=/a,from=x", { type: "bind", source: "s", target: "/a", from: "x" }],
    ["type=BIND,Source=s,destination=/a", { type: "bind", source: "s", target: "/a" }],
    ["target=/a,ro", { type: "bind", target: "/a", readOnly: true }],
    ["target=/a,readonly", { type: "bind", target: "/a", readOnly: true }],
    ["target=/a,readonly=false", { type: "bind", target: "/a", readOnly: false }],
    ["target=/a,ro=1", { type: "bind", target: "/a", readOnly: true }],
    ["target=/a,rw", { type: "bind", target: "/a", readOnly: false }],
    ["target=/a,readwrite", { type: "bind", target: "/a", readOnly: false }],
    ["target=/a,rw=F", { type: "bind", target: "/a", readOnly: true }],
    ["target=/a,from=,source=", { type: "bind", target: "/a" }],
    ["type=cache,target=/a", { type: "cache", target: "/a" }],
    [
      "type=cache,id=i,target=/a,ro,sharing=Locked,from=x,source=/s,mode=0750,uid=1,gid=4294967294",
      {
        type: "cache",
        id: "i",
        target: "/a",
        readOnly: true,
        sharing: "locked",
        from: "x",
        source: "/s",
        mode: 0o750,
        uid: 1,
        gid: 4294967294,
      },
    ],
    ["type=tmpfs,target=/a", { type: "tmpfs", target: "/a" }],
    ["type=tmpfs,target=/a,size=1024", { type: "tmpfs", target: "/a", sizeBytes: 1024 }],
    ["type=tmpfs,target=/a,size=64m", { type: "tmpfs", target: "/a", sizeBytes: 64 * 1024 ** 2 }],
    ["type=tmpfs,target=/a,size=1.5GiB", { type: "tmpfs", target: "/a", sizeBytes: 1.5 * 1024 ** 3 }],
    ["type=tmpfs,target=/a,size=10 kb", { type: "tmpfs", target: "/a", sizeBytes: 10240 }],
    ["type=secret,id=i", { type: "secret", id: "i" }],
    ["type=secret,source=i,env=TOKEN", { type: "secret", source: "i", env: "TOKEN" }],
    ["type=secret,target=/run/x", { type: "secret", target: "/run/x" }],
    ["required,type=secret,id=i,mode=0444,uid=1,gid=2", { type: "secret", id: "i", required: true, mode: 0o444, uid: 1, gid: 2 }],
    ["type=secret,id=i,required=false", { type: "secret", id: "i", required: false }],
    ["type=ssh", { type: "ssh" }],
    ["type=ssh,id=k,target=/s,required=true,mode=0666", { type: "ssh", id: "k", target: "/s", required: true, mode: 0o666 }],
    // BuildKit lets options pass that mean nothing to a type.
    ["type=ssh,ro,env=X", { type: "ssh", readOnly: true, env: "X" }],
    ["type=bind,id=i,target=/a", { type: "bind", id: "i", target: "/a" }],
    ["type=tmpfs,from=x,target=/a", { type: "tmpfs", from: "x", target: "/a" }],
    ['"target=/a,b"', { type: "bind", target: "/a,b" }],
    ['"target=/a""b"', { type: "bind", target: '/a"b' }],
  ])("%s", (text, spec) => {
    expect(specOf(text)).toEqual(spec);
  });

  it("what its values expand to, each by itself", () => {
    const flag = parseMount("type=$T,target=$A,ro,from=$F", "\\");
    const values: Record<string, string> = { $T: "Cache", $A: "/a,ro=0", $F: "x" };
    expect(mountSpec(flag, (value) => values[value] ?? "")).toEqual({ type: "cache", target: "/a,ro=0", readOnly: true, from: "x" });
  });
});

describe("a mount is refused with its place:", () => {
  it.each<[text: string, problem: string, hint?: string]>([
    ["type=cahce,target=/a", 'there is no type "cahce"', 'did you mean "cache"?'],
    ["type=volume,target=/a", 'there is no type "volume"', "it may be bind, cache, tmpfs, secret, ssh"],
    ["targt=/a", 'there is no option "targt"', 'did you mean "target"?'],
    [
      "z",
      'there is no option "z"',
      "the options are type, from, source, src, target, dst, destination, readonly, ro, readwrite, rw, id, sharing, required, size, mode, uid, gid, env",
    ],
    ["__proto__=1,target=/a", 'there is no option "__proto__"'],
    ["target", "target needs a value", "write target=VALUE"],
    ["target=/a,from", "from needs a value", "write from=VALUE"],
    ["target=/a,target=/b", "target is given twice"],
    ["target=/a,dst=/a", "target is given twice"],
    ["target=/a,ro,rw", "readonly and readwrite contradict each other"],
    ["target=/a,ro=yes", 'readonly is "yes": expected true or false'],
    ["target=/a,ro=", 'readonly is "": expected true or false'],
    ["type=cache,target=/a,sharing=lockd", 'there is no sharing "lockd"', 'did you mean "locked"?'],
    ["type=secret,id=i,sharing=locked", "a mount of type secret has no sharing", "sharing is for type=cache"],
    ["type=bind,target=/a,mode=0755", "a mount of type bind has no mode", "mode is for type=cache and type=secret and type=ssh"],
    ["type=tmpfs,target=/a,uid=1", "a mount of type tmpfs has no uid", "uid is for type=cache and type=secret and type=ssh"],
    ["type=cache,target=/a,size=1m", "a mount of type cache has no size", "size is for type=tmpfs"],
    ["type=cache,target=/a,required", "a mount of type cache has no required", "required is for type=secret and type=ssh"],
    ["type=secret,id=i,from=x", "a mount of type secret has no from", "a secret comes from the caller: name it with id=NAME"],
    ["type=ssh,source=x", "a mount of type ssh has no source", "name the socket with id=NAME"],
    ["type=secret,id=i,source=i", "id and source are two names of one secret", "give one of them"],
    ["type=secret", "it does not say which secret", "write --mount=type=secret,id=NAME"],
    ["type=secret,id=i,env=A=B", 'env is "A=B", which is no name of a variable'],
    ["type=cache,target=/a,mode=999", 'mode is "999": expected octal digits up to 7777'],
    ["type=cache,target=/a,mode=10000", 'mode is "10000": expected octal digits up to 7777'],
    ["type=cache,target=/a,uid=-1", 'uid is "-1": expected a number up to 4294967294'],
    ["type=cache,target=/a,gid=4294967295", 'gid is "4294967295": expected a number up to 4294967294'],
    ["type=cache,target=/a,uid=root", 'uid is "root": expected a number up to 4294967294'],
    ["type=tmpfs,target=/a,size=much", 'size is "much": expected a size such as 64m or 1g'],
    ["type=tmpfs,target=/a,size=99999999999999p", 'size is "99999999999999p": expected a size such as 64m or 1g'],
  ])("%s", (text, problem, hint) => {
    const [error, ...others] = errorsOf(`RUN --network=none --mount=${text} x`);
    expect(others).toEqual([]);
    expect(error).toMatchObject({ code: "INVALID_MOUNT", message: `reading --mount=${JSON.stringify(text)}: ${problem}` });
    if (hint !== undefined) expect(error?.hint).toBe(hint);
    const end = 20 + `--mount=${text}`.length;
    expect(error?.range).toEqual({ start: { line: 2, column: 20 }, end: { line: 2, column: end } });
  });

  it("with all others of the file", () => {
    const codes = errorsOf("RUN --mount=type=x y\nRUN --mount=a=b y\nCOPY a\nONBUILD RUN --mount=type=x y").map(
      ({ code, range }) => `${range.start.line} ${code}`,
    );
    expect(codes).toEqual(["2 INVALID_MOUNT", "3 INVALID_MOUNT", "4 MISSING_ARGUMENT", "5 INVALID_MOUNT"]);
  });

  it("later, where its values hold variables, quotes or escapes", () => {
    expect(errorsOf("RUN --mount=type=$T y\nRUN --mount=type='x',size=$S y")).toEqual([]);
  });

  it("cut, where a hostile file would flood the terminal", () => {
    const [error] = errorsOf(`RUN --mount=type=x,target=/${"a".repeat(10_000)} y`);
    expect(error?.message.length).toBeLessThan(200);
  });
});
