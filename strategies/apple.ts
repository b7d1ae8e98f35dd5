import { readPrivateKey, signedSecret, assertText } from "../lib/oauth/client-authentication.ts";
import type { OAuthClientOptions } from "../lib/oauth/client.ts";
import { oidcStrategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

/** Options of {@link apple}. There is no client secret: one is made from the key, and renewed every hour. */
export interface AppleOptions extends Omit<OAuthClientOptions, "clientSecret" | "clientAuthentication"> {
  /** The team that owns the key: ten letters and digits. */
  teamId: string | undefined;
  /** The key's id: ten letters and digits. */
  keyId: string | undefined;
  /** What the downloaded `.p8` file holds. */
  privateKey: string | undefined;
}

const ISSUER = "https://appleid.apple.com";

/**
 * Sign in with Apple; `clientId` is the Services ID. Scope: `name email`, for which Apple answers by `form_post` only.
 * The name comes with the first sign-in alone, through the browser. The address may be a relay to the person's own.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://developer.apple.com/documentation/signinwithapplerestapi
 * @see https://developer.apple.com/documentation/accountorganizationaldatasharing/creating-a-client-secret
 */
export function apple(options: AppleOptions): OAuthStrategy {
  const { teamId, keyId, privateKey } = options ?? {};
  assertText("apple.teamId", teamId, "set it to the id of the team that owns the key");
  assertText("apple.keyId", keyId, "set it to the id of the key");
  const key = readPrivateKey("apple.privateKey", privateKey);
  return oidcStrategy(
    {
      name: "apple",
      issuer: ISSUER,
      scope: ["name", "email"],
      responseMode: "form_post",
      profile: (standard, _claims, answer) => ({ ...standard, name: nameIn(answer.get("user")) }),
    },
    options,
    ["teamId", "keyId", "privateKey"],
    ({ clientId, clock }) => signedSecret({ clientId, issuer: teamId, audience: ISSUER, key, kid: keyId, clock }),
  );
}

/** `{"name":{"firstName":"Ada","lastName":"Lovelace"},"email":"ada@example.com"}`: the browser's word, so the address in it is no proof. */
function nameIn(user: string | null): string | null {
  try {
    const { name } = JSON.parse(user ?? "{}") as { name?: { firstName?: unknown; lastName?: unknown } };
    const parts = [name?.firstName, name?.lastName].filter((part) => typeof part === "string" && part !== "");
    return parts.length === 0 ? null : parts.join(" ");
  } catch {
    return null;
  }
}
