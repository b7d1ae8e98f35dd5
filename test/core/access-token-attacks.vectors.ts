/** How a vector's token is signed: with which key, under which algorithm, whatever its header says. */
export type VectorSigner =
  | "ours"
  | "stranger"
  | "none"
  | "hs256 with our public key"
  | "hs256 with our public key as JWK"
  | "es256"
  | "der"
  | "half"
  | "halves swapped"
  | "flipped";

/**
 * One attack on a verifier of access tokens, in the manner of the Wycheproof vectors: a good token, with what is changed in it. Times are
 * seconds from now. `undefined` takes a member away.
 */
export interface AttackVector {
  readonly tcId: number;
  readonly comment: string;
  readonly header?: Readonly<Record<string, unknown>>;
  readonly claims?: Readonly<Record<string, unknown>>;
  /** Seconds from now, over `iat`, `nbf` and `exp` of the good one. */
  readonly times?: Readonly<Record<string, number>>;
  /** Default: `ours`. */
  readonly signer?: VectorSigner;
  /** What becomes of the finished text. */
  readonly text?: (token: string) => string;
  readonly result: "valid" | "invalid";
  /** Where it is told. */
  readonly ref?: string;
}

const flip = (text: string, at: number) => text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);
const parts = (token: string) => token.split(".") as [string, string, string];

const HEADERS: readonly Omit<AttackVector, "tcId">[] = [
  { comment: "as it is issued", result: "valid" },
  { comment: "alg none, no signature", header: { alg: "none" }, signer: "none", result: "invalid", ref: "RFC 8725 section 2.1" },
  { comment: "alg None", header: { alg: "None" }, signer: "none", result: "invalid" },
  { comment: "alg NONE", header: { alg: "NONE" }, signer: "none", result: "invalid" },
  { comment: "alg nOnE", header: { alg: "nOnE" }, signer: "none", result: "invalid" },
  { comment: "alg none with our signature", header: { alg: "none" }, result: "invalid" },
  { comment: "alg none without a kid", header: { alg: "none", kid: undefined }, signer: "none", result: "invalid" },
  { comment: "its own alg, no signature", signer: "none", result: "invalid" },
  { comment: "alg absent", header: { alg: undefined }, result: "invalid" },
  { comment: "alg empty", header: { alg: "" }, result: "invalid" },
  { comment: "alg a number", header: { alg: 256 }, result: "invalid" },
  { comment: "alg a list", header: { alg: ["EdDSA"] }, result: "invalid" },
  { comment: "alg null", header: { alg: null }, result: "invalid" },
  { comment: "alg eddsa in lower case", header: { alg: "eddsa" }, result: "invalid" },
  { comment: "alg another of the same key: Ed448", header: { alg: "Ed448" }, result: "invalid" },
  {
    comment: "HS256 keyed with our public key's bytes",
    header: { alg: "HS256" },
    signer: "hs256 with our public key",
    result: "invalid",
    ref: "CVE-2015-9235",
  },
  {
    comment: "HS256 keyed with our public key's JWK",
    header: { alg: "HS256" },
    signer: "hs256 with our public key as JWK",
    result: "invalid",
    ref: "CVE-2016-10555",
  },
  { comment: "HS256 keyed with our public key, said to be what it is not", signer: "hs256 with our public key", result: "invalid" },
  { comment: "ES256 by a stranger under our kid", header: { alg: "ES256" }, signer: "es256", result: "invalid" },
  { comment: "its own alg, by a stranger under our kid", signer: "stranger", result: "invalid" },
  { comment: "kid absent", header: { kid: undefined }, result: "invalid" },
  { comment: "kid unknown", header: { kid: "another" }, result: "invalid" },
  { comment: "kid empty", header: { kid: "" }, result: "invalid" },
  { comment: "kid null", header: { kid: null }, result: "invalid" },
  { comment: "kid a number", header: { kid: 0 }, result: "invalid" },
  { comment: "kid a list of ours", header: { kid: ["ours"] }, result: "invalid" },
  { comment: "kid of the prototype", header: { kid: "__proto__" }, result: "invalid" },
  { comment: "kid constructor", header: { kid: "constructor" }, result: "invalid" },
  { comment: "kid a path", header: { kid: "../../../../dev/null" }, result: "invalid" },
  { comment: "kid a statement", header: { kid: "x' UNION SELECT 'AAAA" }, result: "invalid" },
  { comment: "kid kid_not_set.EdDSA", header: { kid: "kid_not_set.EdDSA" }, result: "invalid" },
  { comment: "jku a stranger's", header: { jku: "https://evil.example/jwks.json" }, result: "invalid", ref: "RFC 8725 section 3.10" },
  { comment: "jku a stranger's, signed by them", header: { jku: "https://evil.example/jwks.json" }, signer: "stranger", result: "invalid" },
  { comment: "jku ours", header: { jku: "https://app.example.com/auth/.well-known/jwks.json" }, result: "invalid" },
  {
    comment: "jwk a stranger's, signed by them",
    header: { jwk: { kty: "OKP", crv: "Ed25519", x: "stranger" } },
    signer: "stranger",
    result: "invalid",
    ref: "CVE-2018-0114",
  },
  { comment: "x5u", header: { x5u: "https://evil.example/cert.pem" }, result: "invalid" },
  { comment: "x5c", header: { x5c: ["MIIB"] }, result: "invalid" },
  { comment: "crit with a name unknown", header: { crit: ["exp2"], exp2: 1 }, result: "invalid", ref: "RFC 7515 section 4.1.11" },
  { comment: "crit with a name that is no member", header: { crit: ["exp2"] }, result: "invalid" },
  { comment: "crit empty", header: { crit: [] }, result: "invalid" },
  { comment: "crit with a registered name", header: { crit: ["alg"] }, result: "invalid" },
  { comment: "crit no list", header: { crit: "b64" }, result: "invalid" },
  { comment: "crit null", header: { crit: null }, result: "invalid" },
  { comment: "b64 false and critical", header: { b64: false, crit: ["b64"] }, result: "invalid", ref: "RFC 7797 section 6" },
  { comment: "b64 true and critical", header: { b64: true, crit: ["b64"] }, result: "invalid" },
  { comment: "b64 false, not critical", header: { b64: false }, result: "invalid", ref: "RFC 7797 section 7" },
  { comment: "zip", header: { zip: "DEF" }, signer: "stranger", result: "invalid" },
  { comment: "enc: an encrypted token's header", header: { alg: "dir", enc: "A256GCM" }, result: "invalid" },
  { comment: "typ absent", header: { typ: undefined }, result: "invalid", ref: "RFC 9068 section 4" },
  { comment: "typ JWT", header: { typ: "JWT" }, result: "invalid" },
  { comment: "typ of an ID token", header: { typ: "ID+JWT" }, result: "invalid" },
  { comment: "typ of a logout token", header: { typ: "logout+jwt" }, result: "invalid" },
  { comment: "typ of a security event", header: { typ: "secevent+jwt" }, result: "invalid" },
  { comment: "typ refresh", header: { typ: "rt+jwt" }, result: "invalid" },
  { comment: "typ a list", header: { typ: ["at+jwt"] }, result: "invalid" },
  { comment: "typ with its application/ prefix", header: { typ: "application/at+jwt" }, result: "valid", ref: "RFC 9068 section 2.1" },
];

const SIGNATURES: readonly Omit<AttackVector, "tcId">[] = [
  { comment: "half a signature", signer: "half", result: "invalid" },
  { comment: "r and s, or other halves, swapped", signer: "halves swapped", result: "invalid" },
  { comment: "ES256 in DER", signer: "der", result: "invalid", ref: "RFC 7518 section 3.4" },
  { comment: "one bit of the signature flipped", signer: "flipped", result: "invalid" },
  {
    comment: "signature of zeros",
    text: (token) => `${parts(token).slice(0, 2).join(".")}.${"A".repeat(86)}`,
    result: "invalid",
    ref: "CVE-2022-21449",
  },
  { comment: "signature appended to", text: (token) => `${token}AAAA`, result: "invalid" },
  { comment: "signature with padding", text: (token) => `${token}==`, result: "invalid" },
  {
    comment: "signature of other bits that decode to the same bytes",
    text: (token) => `${token.slice(0, -1)}${token.endsWith("A") ? "B" : token.endsWith("Q") ? "R" : token.endsWith("g") ? "h" : "x"}`,
    result: "invalid",
  },
  {
    comment: "claims changed after signing",
    text: (token) => `${parts(token)[0]}.${flip(parts(token)[1], 20)}.${parts(token)[2]}`,
    result: "invalid",
  },
  {
    comment: "header changed after signing",
    text: (token) => `${flip(parts(token)[0], 20)}.${parts(token)[1]}.${parts(token)[2]}`,
    result: "invalid",
  },
  { comment: "header and claims swapped", text: (token) => `${parts(token)[1]}.${parts(token)[0]}.${parts(token)[2]}`, result: "invalid" },
];

const TEXTS: readonly Omit<AttackVector, "tcId">[] = [
  { comment: "nothing", text: () => "", result: "invalid" },
  { comment: "dots alone", text: () => "..", result: "invalid" },
  { comment: "two segments", text: (token) => parts(token).slice(0, 2).join("."), result: "invalid" },
  { comment: "two segments and a dot", text: (token) => `${parts(token).slice(0, 2).join(".")}.`, result: "invalid" },
  { comment: "four segments", text: (token) => `${token}.AAAA`, result: "invalid" },
  { comment: "five segments, as an encrypted one", text: (token) => `${token}.AAAA.AAAA`, result: "invalid" },
  { comment: "a dot in front", text: (token) => `.${token}`, result: "invalid" },
  { comment: "space around it", text: (token) => ` ${token} `, result: "invalid" },
  { comment: "a line break behind it", text: (token) => `${token}\n`, result: "invalid" },
  { comment: "a NUL in it", text: (token) => `${token.slice(0, 10)}\0${token.slice(10)}`, result: "invalid" },
  {
    comment: "plain base64 instead of base64url",
    // Question marks are `Pz8_`, so that there is something to replace.
    claims: { padding: "????????" },
    text: (token) => token.replaceAll("-", "+").replaceAll("_", "/"),
    result: "invalid",
  },
  { comment: "a header that is no JSON", text: (token) => `AAAA.${parts(token)[1]}.${parts(token)[2]}`, result: "invalid" },
  { comment: "a header that is a list", text: (token) => `W10.${parts(token)[1]}.${parts(token)[2]}`, result: "invalid" },
  { comment: "a header that is null", text: (token) => `bnVsbA.${parts(token)[1]}.${parts(token)[2]}`, result: "invalid" },
  {
    comment: "the flattened JSON serialisation",
    text: (token) => JSON.stringify({ protected: parts(token)[0], payload: parts(token)[1], signature: parts(token)[2] }),
    result: "invalid",
    ref: "RFC 7515 section 7.2.2",
  },
  {
    comment: "the general JSON serialisation",
    text: (token) => JSON.stringify({ payload: parts(token)[1], signatures: [{ protected: parts(token)[0], signature: parts(token)[2] }] }),
    result: "invalid",
  },
  { comment: "8 KB and well signed", claims: { padding: "a".repeat(8192) }, result: "invalid" },
  { comment: "a megabyte of header", text: (token) => `${"A".repeat(1_000_000)}.${parts(token)[1]}.${parts(token)[2]}`, result: "invalid" },
  { comment: "a megabyte of dots", text: () => ".".repeat(1_000_000), result: "invalid" },
  { comment: "another one glued to it", text: (token) => `${token},${token}`, result: "invalid" },
];

const CLAIMS: readonly Omit<AttackVector, "tcId">[] = [
  { comment: "issuer another", claims: { iss: "https://evil.example" }, result: "invalid" },
  { comment: "issuer ours and a slash", claims: { iss: "https://app.example.com/" }, result: "invalid" },
  { comment: "issuer in other case", claims: { iss: "https://APP.example.com" }, result: "invalid" },
  { comment: "issuer a list with ours", claims: { iss: ["https://app.example.com"] }, result: "invalid" },
  { comment: "issuer absent", claims: { iss: undefined }, result: "invalid" },
  { comment: "audience another", claims: { aud: "https://other.example.com" }, result: "invalid" },
  { comment: "audience a list without ours", claims: { aud: ["https://other.example.com"] }, result: "invalid" },
  { comment: "audience that ours is the beginning of", claims: { aud: "https://api.example.com.evil.example" }, result: "invalid" },
  { comment: "audience absent", claims: { aud: undefined }, result: "invalid" },
  { comment: "audience empty list", claims: { aud: [] }, result: "invalid" },
  { comment: "audience an object", claims: { aud: { "https://api.example.com": true } }, result: "invalid" },
  {
    comment: "audience a list with ours",
    claims: { aud: ["https://other.example.com", "https://api.example.com"] },
    result: "valid",
    ref: "RFC 7519 section 4.1.3",
  },
  { comment: "purpose refresh", claims: { type: "refresh" }, result: "invalid" },
  { comment: "purpose id", claims: { type: "id" }, result: "invalid" },
  { comment: "purpose absent", claims: { type: undefined }, result: "invalid" },
  { comment: "purpose in other case", claims: { type: "Access" }, result: "invalid" },
  {
    comment: "an ID token of ours: its audience, no purpose, no session",
    header: { typ: "JWT" },
    claims: { type: undefined, sid: undefined, jti: undefined, nonce: "n", aud: "client-1" },
    result: "invalid",
  },
  { comment: "an ID token with our audience", header: { typ: "JWT" }, claims: { type: undefined, nonce: "n" }, result: "invalid" },
  {
    comment: "a logout token",
    header: { typ: "logout+jwt" },
    claims: { events: { "http://schemas.openid.net/event/backchannel-logout": {} }, sub: undefined },
    result: "invalid",
  },
  { comment: "subject absent", claims: { sub: undefined }, result: "invalid" },
  { comment: "subject empty", claims: { sub: "" }, result: "invalid" },
  { comment: "subject a number", claims: { sub: 1 }, result: "invalid" },
  { comment: "subject an object", claims: { sub: { $ne: null } }, result: "invalid" },
  { comment: "session absent", claims: { sid: undefined }, result: "invalid" },
  { comment: "session a list", claims: { sid: ["a"] }, result: "invalid" },
  { comment: "id absent", claims: { jti: undefined }, result: "invalid" },
  { comment: "id a number", claims: { jti: 7 }, result: "invalid" },
  { comment: "roles one text", claims: { roles: "admin" }, result: "invalid" },
  { comment: "roles an object", claims: { roles: { 0: "admin", length: 1 } }, result: "invalid" },
  { comment: "roles of no texts", claims: { roles: [["admin"]] }, result: "invalid" },
  { comment: "scope a list", claims: { scope: ["write"] }, result: "invalid" },
  { comment: "tenant empty", claims: { tenant: "" }, result: "invalid" },
  { comment: "tenant a list", claims: { tenant: ["acme"] }, result: "invalid" },
  { comment: "methods a text", claims: { amr: "password" }, result: "invalid" },
  { comment: "auth_time a text", claims: { auth_time: "now" }, result: "invalid" },
  { comment: "claims that are no object", text: (token) => `${parts(token)[0]}.W10.${parts(token)[2]}`, result: "invalid" },
];

const TIMES: readonly Omit<AttackVector, "tcId">[] = [
  { comment: "expired now", times: { exp: 0 }, result: "valid" },
  { comment: "expired within the leeway", times: { exp: -4 }, result: "valid" },
  { comment: "expired at the end of the leeway", times: { exp: -5 }, result: "invalid" },
  { comment: "expired beyond the leeway", times: { exp: -6 }, result: "invalid" },
  { comment: "expired a year ago", times: { exp: -31_536_000 }, result: "invalid" },
  { comment: "expiry absent", claims: { exp: undefined }, result: "invalid" },
  { comment: "expiry null", claims: { exp: null }, result: "invalid" },
  { comment: "expiry a text", claims: { exp: "9999999999" }, result: "invalid" },
  { comment: "expiry a list", claims: { exp: [9_999_999_999] }, result: "invalid" },
  { comment: "expiry true", claims: { exp: true }, result: "invalid" },
  { comment: "not before, within the leeway", times: { nbf: 4 }, result: "valid" },
  { comment: "not before, beyond the leeway", times: { nbf: 6 }, result: "invalid" },
  { comment: "not before a text", claims: { nbf: "0" }, result: "invalid" },
  { comment: "issued absent", claims: { iat: undefined }, result: "invalid" },
  { comment: "issued a text", claims: { iat: "0" }, result: "invalid" },
  { comment: "issued in the future, within the leeway", times: { iat: 4 }, result: "valid" },
  { comment: "issued in the future, beyond the leeway", times: { iat: 60 }, result: "invalid" },
];

/** Every vector there is. */
export const ATTACKS: readonly AttackVector[] = [...HEADERS, ...SIGNATURES, ...TEXTS, ...CLAIMS, ...TIMES].map((vector, index) => ({
  ...vector,
  tcId: index + 1,
}));
