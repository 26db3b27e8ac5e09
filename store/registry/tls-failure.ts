/** Who was spoken to. */
export interface TlsPeer {
  /** Host and port, as in the URL. */
  readonly host: string;
  /** The registry, as settings name it: hints write it out. */
  readonly registry: string;
}

interface TlsFailure {
  readonly problem: string;
  readonly hint: string;
}

/** What failed while TLS was agreed on, by Node's error code; undefined for what has nothing to do with it, and for what a new connection may mend. */
export function tlsFailure(error: unknown, code: string, peer: TlsPeer): TlsFailure | undefined {
  return table.find(([codes]) => codes.test(code))?.[1](code, peer, error);
}

/** Whether a certificate is signed by somebody who is not known. */
export function isUnknownAuthority(code: string): boolean {
  return unknownAuthority.test(code);
}

/** Whether bytes came that are no TLS. */
export function isNoTls(code: string): boolean {
  return noTls.test(code);
}

const unknownAuthority =
  /^(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT(?:_LOCALLY)?|CERT_UNTRUSTED)$/;
const noTls = /^ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST)$/;

const clockHint = "look whether this machine's clock is right; else the registry needs a new certificate";

/** The first row that matches counts. */
const table: readonly (readonly [codes: RegExp, describe: (code: string, peer: TlsPeer, error: unknown) => TlsFailure])[] = [
  [
    unknownAuthority,
    (code, { registry }) => ({
      problem: `its certificate is signed by an unknown authority (${code})`,
      hint: `tsbuild.toml: ${section(registry)} ca = "/path/of/the/authority.crt", or put that file in a certs.d folder: certs.d/${registry}/ca.crt`,
    }),
  ],
  [
    noTls,
    (code, { registry }) => ({
      problem: `it does not answer with TLS (${code})`,
      hint: `where it is meant to speak plain http, tsbuild.toml: ${section(registry)} insecure = true`,
    }),
  ],
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    (_code, { host }, error) => ({
      problem: `its certificate is for another host: ${String((error as { readonly reason?: unknown }).reason)}`,
      hint: `use one of the names in the certificate instead of ${host}`,
    }),
  ],
  [/^CERT_HAS_EXPIRED$/, () => ({ problem: "its certificate has expired", hint: clockHint })],
  [/^CERT_NOT_YET_VALID$/, () => ({ problem: "its certificate is not valid yet", hint: clockHint })],
  [
    /^ERR_SSL_.*(?:CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE)/,
    (code, { registry }) => ({
      problem: `it refuses our side of TLS (${code})`,
      hint: `where it asks for a client certificate, tsbuild.toml: ${section(registry)} client_certificate = "…", client_key = "…"`,
    }),
  ],
  [
    /^(?:CERT_|CRL_|ERR_TLS_CERT)|^(?:INVALID_CA|PATH_LENGTH_EXCEEDED|INVALID_PURPOSE|HOSTNAME_MISMATCH)$/,
    (code) => ({ problem: `its certificate is not valid (${code})`, hint: "the registry needs another certificate" }),
  ],
  [
    /^(?:ERR_SSL_(?:UNSUPPORTED|NO_|TLSV1_ALERT|WRONG_)|EPROTO$)/,
    (code) => ({ problem: `TLS cannot be agreed on (${code})`, hint: "the server needs TLS 1.2 or later with ciphers that Node allows" }),
  ],
];

function section(registry: string): string {
  return `[registry.host."${registry}"]`;
}
