import { createPrivateKey, type KeyObject } from "node:crypto";
import { importPKCS8, SignJWT } from "jose";
import * as openid from "openid-client";
import type { Clock } from "../clock.ts";
import { ConfigError } from "../errors.ts";

/** A key instead of a secret: the client signs who it is, and the provider knows the public half. */
export interface PrivateKeyAuthentication {
  /** PEM, of an RSA, P-256, P-384, P-521 or Ed25519 key. A `\n` written out, as environments hold it, counts as a line's end. */
  readonly privateKey: string | undefined;
  /** The key's id at the provider. */
  readonly kid: string | undefined;
}

/** How the client shows its secret: in the Authorization header, or in the form. @see RFC 6749, section 2.3.1. */
export type SecretMethod = "client_secret_basic" | "client_secret_post";

/** How the client shows who it is: called before each request to the token endpoint, which waits for it where it returns a promise. */
export type ClientAuthentication = (...call: Parameters<openid.ClientAuth>) => unknown;

/** Seconds that an assertion holds: it is shown at once. */
const ASSERTION_TTL = 60;

/**
 * `private_key_jwt`. The algorithm follows from the key: RS256, ES256, ES384, ES512 or EdDSA.
 * @param option names the option, for messages.
 * @throws {ConfigError} when the key cannot be read, or has no id.
 * @see RFC 7523, section 2.2; OpenID Connect Core 1.0, section 9.
 */
export function privateKeyJwt(option: string, { privateKey, kid }: PrivateKeyAuthentication, clock: Clock): ClientAuthentication {
  const key = readPrivateKey(`${option}.privateKey`, privateKey);
  assertText(`${option}.kid`, kid, "set it to the id that the provider knows the key by");
  let imported: ReturnType<typeof importPKCS8> | undefined;
  const timed: openid.ModifyAssertionOptions = {
    [openid.modifyAssertion](_header, payload) {
      const now = Math.floor(clock.now() / 1000);
      Object.assign(payload, { iat: now, nbf: now, exp: now + ASSERTION_TTL });
    },
  };
  return async function signedAssertion(as, client, body, headers) {
    imported ??= importPKCS8(pemOf(key), algorithmOf(key));
    // Typed as void, and in truth a promise: returned, so that it is waited for.
    return openid.PrivateKeyJwt({ key: await imported, kid }, timed)(as, client, body, headers);
  };
}

/**
 * The client's secret, shown by `method`; by default as the provider's metadata has it: in the form where it takes that, else in the
 * Authorization header, which is what all must take.
 */
export function secretAuthentication(secret: string, method: SecretMethod | null): ClientAuthentication {
  const post = openid.ClientSecretPost(secret);
  return function clientSecret(as, client, body, headers) {
    const chosen = method ?? (as.token_endpoint_auth_methods_supported?.includes("client_secret_post") ? "client_secret_post" : null);
    if (chosen === "client_secret_post") return post(as, client, body, headers);
    headers.set("authorization", `Basic ${Buffer.from(`${formEncoded(client.client_id)}:${formEncoded(secret)}`).toString("base64")}`);
  };
}

/**
 * As a form has it. `-`, `.` and `_`, which secrets are full of, stay as they are: a provider that decodes nothing knows the secret still,
 * where openid-client's own ClientSecretBasic has it refused.
 * @see RFC 6749, appendix B; URL Standard, section 5.2.
 */
function formEncoded(text: string): string {
  return new URLSearchParams({ "": text }).toString().slice(1);
}

/** What {@link signedSecret} signs. */
export interface SignedSecretOptions {
  readonly clientId: string;
  readonly issuer: string;
  readonly audience: string;
  readonly key: KeyObject;
  readonly kid: string;
  readonly clock: Clock;
}

/** Seconds that a signed secret holds, and seconds before its end when the next one is made. */
const SECRET_TTL = 3600;
const RENEW_BEFORE = 300;

/** `client_secret_post` with a secret that is a JWT signed by a key, made when first needed and kept until shortly before it expires. */
export function signedSecret({ clientId, issuer, audience, key, kid, clock }: SignedSecretOptions): ClientAuthentication {
  let current: { readonly secret: Promise<string>; readonly expiresAt: number } | null = null;

  const sign = async (issuedAt: number) => {
    const alg = algorithmOf(key);
    return await new SignJWT()
      .setProtectedHeader({ alg, kid })
      .setIssuer(issuer)
      .setSubject(clientId)
      .setAudience(audience)
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + SECRET_TTL)
      .sign(await importPKCS8(pemOf(key), alg));
  };

  return async function signedClientSecret(_as, _client, body) {
    const now = clock.now();
    if (!current || now >= current.expiresAt - RENEW_BEFORE * 1000)
      current = { secret: sign(Math.floor(now / 1000)), expiresAt: now + SECRET_TTL * 1000 };
    body.set("client_id", clientId);
    body.set("client_secret", await current.secret);
  };
}

/** @throws {ConfigError} unless `pem` is a private key that can sign. */
export function readPrivateKey(option: string, pem: unknown): KeyObject {
  assertText(option, pem, "set it to the private key, as PEM");
  let key: KeyObject;
  try {
    key = createPrivateKey(pem.replaceAll("\\n", "\n"));
  } catch {
    // Neither the key nor what was said of it may reach a log.
    throw new ConfigError(option, "is no private key: give it as PEM, -----BEGIN PRIVATE KEY----- and so on");
  }
  if (algorithmOf(key) === "") throw new ConfigError(option, "is of a kind that signs nothing: give an RSA, P-256 or Ed25519 key");
  return key;
}

/** @throws {ConfigError} unless `value` is a text that is not empty. */
export function assertText(option: string, value: unknown, fix: string): asserts value is string {
  if (typeof value !== "string" || value === "") throw new ConfigError(option, `is missing: ${fix}`);
}

const CURVES: Readonly<Record<string, string>> = { prime256v1: "ES256", secp384r1: "ES384", secp521r1: "ES512" };

/** The empty text for a key that signs nothing. */
function algorithmOf({ asymmetricKeyType: type, asymmetricKeyDetails }: KeyObject): string {
  if (type === "rsa") return "RS256";
  if (type === "ed25519") return "EdDSA";
  return CURVES[asymmetricKeyDetails?.namedCurve ?? ""] ?? "";
}

function pemOf(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}
