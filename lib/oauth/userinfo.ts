import { jwtVerify } from "jose";
import * as openid from "openid-client";
import { AuthError } from "../errors.ts";
import type { OAuthClient } from "./client.ts";
import { invalidResponse, statusFailure } from "./failure.ts";
import { signatureAlgorithms, type ProviderKeys } from "./provider-keys.ts";

/** Seconds that a provider's clock may differ from ours. */
const CLOCK_TOLERANCE = 30;

/** Whose userinfo is asked for, as an ID token that was checked has it. */
type Person = Pick<openid.IDToken, "iss" | "sub">;

/**
 * Asks the userinfo endpoint about the person whose access token it is shown. It answers JSON, or a JWT: of that the signature, by the
 * provider's published keys, and what it says of issuer, audience and times are checked. One that is encrypted is refused.
 *
 * @returns a function that rejects with a `ProviderError`, among others when the answer is about somebody else.
 * @see OpenID Connect Core 1.0, sections 5.3.2 and 5.3.4.
 */
export function createUserinfoReader(client: OAuthClient, keys: () => Promise<ProviderKeys>) {
  const opened = async (token: string, person: Person, supported: readonly string[] | undefined): Promise<Record<string, unknown>> => {
    if (token.split(".").length === 5) throw invalidResponse(new Error("the userinfo answer is encrypted: register for a signed one"));
    const { algorithms, fresh } = await keys();
    const { payload } = await fresh((find) =>
      jwtVerify(token, find, {
        algorithms: supported === undefined ? [...algorithms] : signatureAlgorithms(supported),
        currentDate: new Date(client.clock.now()),
        clockTolerance: CLOCK_TOLERANCE,
      }),
    );
    const { iss, aud } = payload;
    if (iss !== undefined && iss !== person.iss) throw invalidResponse(new Error("the userinfo answer is of another issuer"));
    if (aud !== undefined && ![aud].flat().includes(client.clientId))
      throw invalidResponse(new Error("the userinfo answer is for another client"));
    return payload;
  };

  return async function readUserinfo(
    config: openid.Configuration,
    accessToken: string,
    person: Person,
    options?: openid.DPoPOptions,
  ): Promise<Record<string, unknown>> {
    const { userinfo_endpoint: endpoint = "", userinfo_signing_alg_values_supported: supported } = config.serverMetadata();
    if (!URL.canParse(endpoint)) throw invalidResponse(new Error("the userinfo endpoint is no URL"));
    const headers = new Headers({ accept: "application/json, application/jwt" });
    const response = await openid.fetchProtectedResource(config, accessToken, new URL(endpoint), "GET", undefined, headers, options);
    if (response.status !== 200) throw statusFailure(response, "The userinfo endpoint does not answer");
    try {
      const type = response.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
      if (type !== "application/jwt" && type !== "application/json") throw new Error(`the userinfo endpoint answers ${type}`);
      const said: unknown = type === "application/jwt" ? await opened(await response.text(), person, supported) : await response.json();
      if (typeof said !== "object" || said === null || !("sub" in said) || said.sub !== person.sub)
        throw new Error("the userinfo answer is about somebody else");
      return { ...said };
    } catch (error) {
      throw error instanceof AuthError ? error : invalidResponse(error);
    }
  };
}
