import { createHmac, generateKeyPair as generate, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import { exportJWK, exportSPKI, SignJWT, type JWK, type JWTHeaderParameters } from "jose";
import { randomToken } from "../../crypto/random.ts";

const generateKeyPair = promisify(generate);

/** A key pair that a fake provider signs with. */
export interface SigningKey {
  readonly kid: string;
  readonly alg: "RS256" | "ES256";
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** A new key, under a new id. */
export async function createSigningKey(alg: SigningKey["alg"] = "ES256"): Promise<SigningKey> {
  const pair =
    alg === "RS256" ? await generateKeyPair("rsa", { modulusLength: 2048 }) : await generateKeyPair("ec", { namedCurve: "P-256" });
  return { kid: randomToken(8), alg, ...pair };
}

/** The public half, as a provider publishes it. */
export async function publicJwk({ publicKey, kid, alg }: SigningKey): Promise<JWK> {
  return { ...(await exportJWK(publicKey)), kid, alg, use: "sig" };
}

/** Signs claims: `key` is the provider's current one. */
export type Signer = (claims: Readonly<Record<string, unknown>>, key: SigningKey) => Promise<string>;

/** As it should be, with `header` over `alg` and `kid`. A `kid` of `undefined` leaves it out. */
export function signedBy(header: Readonly<Record<string, unknown>> = {}): Signer {
  return async (claims, { alg, kid, privateKey }) => {
    const whole: JWTHeaderParameters = { alg, kid, ...header };
    return new SignJWT({ ...claims }).setProtectedHeader(whole).sign(privateKey);
  };
}

/**
 * Ways to sign a token that must not be taken for one of the provider's.
 *
 * @example provider.signIdTokens(forgeries.unsigned());
 */
export const forgeries = {
  /** `alg: none`, and no signature. */
  unsigned(): Signer {
    return async (claims) => `${encode({ alg: "none" })}.${encode(claims)}.`;
  },

  /** HS256 with the public key, as PEM, for the secret: holds for whoever lets the token choose the algorithm. */
  publicKeyAsSecret(): Signer {
    return async (claims, { publicKey, kid }) => hmac({ alg: "HS256", kid }, claims, await exportSPKI(publicKey));
  },

  /** HS256 with the client's secret, which others than the provider know. */
  clientSecret(secret: string): Signer {
    return async (claims, { kid }) => hmac({ alg: "HS256", kid }, claims, secret);
  },

  /** A stranger's key, under the id of the provider's. */
  stranger(): Signer {
    return async (claims, { alg, kid }) => signedBy({ kid })(claims, await createSigningKey(alg));
  },

  /** A stranger's key, which the token brings along in `jwk`, or names the place of in `jku`. */
  ownKey(jku?: string): Signer {
    return async (claims, { alg, kid }) => {
      const key = await createSigningKey(alg);
      return signedBy({ kid, ...(jku === undefined ? { jwk: await publicJwk(key) } : { jku }) })(claims, key);
    };
  },

  /** The provider's signature, of other claims: `change` is made behind it. */
  changed(change: Readonly<Record<string, unknown>>): Signer {
    return async (claims, key) => {
      const [header = "", , signature = ""] = (await signedBy()(claims, key)).split(".");
      return `${header}.${encode({ ...claims, ...change })}.${signature}`;
    };
  },
};

function hmac(header: object, claims: object, secret: string): string {
  const text = `${encode(header)}.${encode(claims)}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}
