/** How a fake registry differs from a plain one. Every switch may be changed while it runs. */
export interface FakeBehaviour {
  // Who may do what.
  auth: "none" | "basic" | "bearer" | "basic-or-bearer";
  /** How challenges are written: "capitals" has "BASIC", "negotiate first" offers another scheme before. */
  challengeForm: "plain" | "capitals" | "negotiate first";
  /** Name → password. */
  users: Record<string, string>;
  /** With Bearer: tokens that allow reading are given to everybody. */
  anonymousPull: boolean;
  tokenMethods: readonly ("GET" | "POST")[];
  tokenField: "token" | "access_token" | "both";
  /** How long tokens are good for, as `expires_in` says and the registry checks. Undefined: 60 s and no `expires_in`. */
  tokenLifetimeSeconds: number | undefined;
  /** A token is refused as expired after so many requests. */
  tokenUses: number;
  /** OAuth2 refresh token that POST /token takes as grant_type=refresh_token. */
  refreshToken: string | undefined;
  /** The answer to a token that does not allow what is asked. */
  deniedStatus: 401 | 403 | 404;

  // Reading.
  /** Blobs are answered by a redirect of this status to the storage server, on another port, which refuses whoever sends Authorization. */
  redirectBlobs: 302 | 307 | undefined;
  ranges: boolean;
  headDigest: boolean;
  headLength: boolean;
  headManifests: boolean;
  /** What is put behind Content-Type of manifests: "; charset=utf-8". Undefined: the header is left out. */
  manifestTypeSuffix: string | undefined;
  /** What comes of a manifest whose type the request's Accept does not list: it is sent all the same, as schema 1, or not at all. */
  unaccepted: "sent" | "schema 1" | "404";
  /** So many manifests are sent, then the answer is 429. */
  pullLimit: number;
  /** "sha256-<hex>" is read as the digest itself where there is no such tag. */
  dashedDigests: boolean;
  /** Tags or referrers on a page. */
  pageSize: number;
  linkForm: "relative" | "absolute" | "path-only";
  /** How the next page is named: by the last tag of this one, or by what only the registry understands. */
  pageToken: "last" | "opaque";
  emptyTags: "[]" | "null";
  referrers: boolean;
  /** The referrers endpoint's answer where there is none. */
  referrersOff: 400 | 401 | 404 | 405 | 406 | "html";
  filtersReferrers: boolean;
  /** What GET /v2/ says when it agrees: JSON or a web page. */
  ping: "json" | "html";

  // Writing.
  locations: "relative" | "absolute" | "absolute-http";
  patch: "streamed" | "refused";
  /** OCI-Chunk-Min-Length: shorter chunks may only be the last. */
  minChunkBytes: number | undefined;
  /** Longer bodies are answered with 413 before they are read. */
  maxBodyBytes: number;
  /** Longer chunks with Content-Range are answered with 416. */
  maxRangedBytes: number;
  /** Whether a closing PUT may bring bytes of its own. */
  putBodies: boolean;
  /** What came of a body before its connection broke counts. */
  keepsBrokenChunks: boolean;
  /** A body whose connection broke takes its upload with it, as docker-registry 2.8 has it. */
  losesBrokenUploads: boolean;
  uploadStatus: boolean;
  /** "stuck" goes on telling of the first chunk, in answers to PATCH; "inclusive" says one byte too much. */
  uploadRange: "plain" | "bytes" | "absent" | "stuck" | "inclusive";
  singlePost: boolean;
  mount: "allowed" | "ignored" | "denied";
  /** A push to a repository that is not there makes it. */
  createsRepositories: boolean;
  /** Manifests without the field "mediaType" are refused. */
  needsMediaType: boolean;
  /** Manifest types taken; undefined: every one. */
  manifestTypes: readonly string[] | undefined;
  /** Tags that exist cannot be moved: the answer to trying it. */
  immutableTags: "harbor" | "ecr" | undefined;
  deletes: boolean;
}

export const plainBehaviour: Readonly<FakeBehaviour> = {
  auth: "none",
  challengeForm: "plain",
  users: { user: "password" },
  anonymousPull: false,
  tokenMethods: ["GET", "POST"],
  tokenField: "token",
  tokenLifetimeSeconds: 300,
  tokenUses: Number.POSITIVE_INFINITY,
  refreshToken: undefined,
  deniedStatus: 401,
  redirectBlobs: undefined,
  ranges: true,
  headDigest: true,
  headLength: true,
  headManifests: true,
  manifestTypeSuffix: "",
  unaccepted: "sent",
  pullLimit: Number.POSITIVE_INFINITY,
  dashedDigests: false,
  pageSize: 100,
  linkForm: "relative",
  pageToken: "last",
  emptyTags: "[]",
  referrers: true,
  referrersOff: 404,
  filtersReferrers: true,
  ping: "json",
  locations: "relative",
  patch: "streamed",
  minChunkBytes: undefined,
  maxBodyBytes: Number.POSITIVE_INFINITY,
  maxRangedBytes: Number.POSITIVE_INFINITY,
  putBodies: true,
  keepsBrokenChunks: true,
  losesBrokenUploads: false,
  uploadStatus: true,
  uploadRange: "plain",
  singlePost: true,
  mount: "allowed",
  createsRepositories: true,
  needsMediaType: false,
  manifestTypes: undefined,
  immutableTags: undefined,
  deletes: true,
};
