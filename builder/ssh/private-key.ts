import { createPrivateKey, type JsonWebKey, type KeyObject, sign } from "node:crypto";
import { TsbuildError } from "../../store/errors.ts";
import { mpint, string, type WireReader, wireReader, withoutZeros } from "./wire.ts";

/** A key that an agent can sign with. */
export interface AgentKey {
  /** The public key, as SSH has it (RFC 4253 section 6.6). */
  readonly blob: Buffer;
  readonly comment: string;
  /** `flags`: of SSH_AGENTC_SIGN_REQUEST. */
  sign(data: Buffer, flags: number): Buffer;
}

const rsaSha256 = 2;
const rsaSha512 = 4;

const curves = {
  "P-256": { name: "nistp256", hash: "sha256", bytes: 32 },
  "P-384": { name: "nistp384", hash: "sha384", bytes: 48 },
  "P-521": { name: "nistp521", hash: "sha512", bytes: 66 },
} as const;

/** Reads an Ed25519, RSA or ECDSA key in OpenSSH's form or in PEM. Throws SSH_KEY_INVALID, which shows nothing of it, and SSH_KEY_ENCRYPTED. */
export function parsePrivateKey(text: string, path: string): AgentKey {
  const [, body] = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]*)-----END OPENSSH PRIVATE KEY-----/.exec(text) ?? [];
  try {
    if (/^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text)) throw encrypted(path);
    if (body === undefined) return agentKey(createPrivateKey(text), "");
    const { jwk, comment } = parseOpenSsh(Buffer.from(body, "base64"), path);
    return agentKey(createPrivateKey({ key: jwk, format: "jwk" }), comment);
  } catch (cause) {
    if (cause instanceof TsbuildError) throw cause;
    throw new TsbuildError("SSH_KEY_INVALID", `reading the SSH key ${JSON.stringify(path)}: it is no Ed25519, RSA or ECDSA private key`);
  }
}

function encrypted(path: string): TsbuildError {
  return new TsbuildError("SSH_KEY_ENCRYPTED", `reading the SSH key ${JSON.stringify(path)}: it is encrypted with a passphrase`, {
    hint: "give it to ssh-agent with ssh-add, and the agent to the build with --ssh default",
  });
}

/** OpenSSH's PROTOCOL.key. */
function parseOpenSsh(bytes: Buffer, path: string): { readonly jwk: JsonWebKey; readonly comment: string } {
  const magic = "openssh-key-v1\0";
  if (bytes.toString("latin1", 0, magic.length) !== magic) throw new RangeError("no OpenSSH key");
  const outer = wireReader(bytes.subarray(magic.length));
  const cipher = outer.string().toString("latin1");
  if (cipher !== "none") throw encrypted(path);
  outer.string();
  outer.string();
  if (outer.uint32() !== 1) throw new RangeError("not one key");
  outer.string();
  const inner = wireReader(outer.string());
  const [check, same] = [inner.uint32(), inner.uint32()];
  if (check !== same) throw new RangeError("damaged");
  const jwk = readJwk(inner.string().toString("latin1"), inner);
  return { jwk, comment: inner.string().toString("utf8") };
}

function readJwk(type: string, reader: WireReader): JsonWebKey {
  if (type === "ssh-ed25519") {
    const x = reader.string();
    return { kty: "OKP", crv: "Ed25519", x: base64(x), d: base64(reader.string().subarray(0, 32)) };
  }
  if (type === "ssh-rsa") {
    const [n, e, d, qi, p, q] = [1, 2, 3, 4, 5, 6].map(() => withoutZeros(reader.string()));
    if (!n || !e || !d || !qi || !p || !q) throw new RangeError("cut short");
    return { kty: "RSA", ...mapValues({ n, e, d, qi, p, q, dp: remainder(d, p), dq: remainder(d, q) }, base64) };
  }
  const curve = Object.entries(curves).find(([, { name }]) => type === `ecdsa-sha2-${name}`);
  if (curve === undefined) throw new RangeError("a type that is not known");
  const [crv, { bytes }] = curve;
  reader.string();
  const point = reader.string();
  const d = withoutZeros(reader.string());
  const padded = Buffer.concat([Buffer.alloc(bytes - d.length), d]);
  return { kty: "EC", crv, x: base64(point.subarray(1, 1 + bytes)), y: base64(point.subarray(1 + bytes)), d: base64(padded) };
}

/** d mod (prime - 1) */
function remainder(d: Buffer, prime: Buffer): Buffer {
  const value = numberOf(d) % (numberOf(prime) - 1n);
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
}

function numberOf(bytes: Buffer): bigint {
  return BigInt(`0x${bytes.toString("hex")}`);
}

function agentKey(key: KeyObject, comment: string): AgentKey {
  const jwk = key.export({ format: "jwk" });
  const part = (name: "n" | "e" | "x" | "y"): Buffer => Buffer.from(jwk[name] ?? "", "base64url");
  if (jwk.kty === "RSA") {
    const blob = Buffer.concat([string("ssh-rsa"), mpint(part("e")), mpint(part("n"))]);
    return { blob, comment, sign: (data, flags) => signRsa(key, data, flags) };
  }
  if (jwk.kty === "OKP" && jwk.crv === "Ed25519") {
    const blob = Buffer.concat([string("ssh-ed25519"), string(part("x"))]);
    return { blob, comment, sign: (data) => Buffer.concat([string("ssh-ed25519"), string(sign(null, data, key))]) };
  }
  const curve = Object.entries(curves).find(([name]) => name === jwk.crv)?.[1];
  if (curve === undefined) throw new RangeError("a type that is not known");
  const type = `ecdsa-sha2-${curve.name}`;
  const blob = Buffer.concat([string(type), string(curve.name), string(Buffer.concat([Buffer.of(4), part("x"), part("y")]))]);
  return {
    blob,
    comment,
    sign(data) {
      const both = sign(curve.hash, data, { key, dsaEncoding: "ieee-p1363" });
      const signature = Buffer.concat([mpint(both.subarray(0, curve.bytes)), mpint(both.subarray(curve.bytes))]);
      return Buffer.concat([string(type), string(signature)]);
    },
  };
}

/** RFC 8332; SHA-1 where nothing else is asked for. */
function signRsa(key: KeyObject, data: Buffer, flags: number): Buffer {
  const [type, hash] =
    (flags & rsaSha512) !== 0 ? ["rsa-sha2-512", "sha512"] : (flags & rsaSha256) !== 0 ? ["rsa-sha2-256", "sha256"] : ["ssh-rsa", "sha1"];
  return Buffer.concat([string(type), string(sign(hash, data, key))]);
}

function base64(bytes: Buffer): string {
  return bytes.toString("base64url");
}

function mapValues<T, U>(values: Readonly<Record<string, T>>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]));
}
