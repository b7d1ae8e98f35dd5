import { ConfigError } from "../lib/errors.ts";
import type { OAuthClientOptions } from "../lib/oauth/client.ts";
import type { Tenants } from "../lib/oauth/oidc-provider.ts";
import { oidcStrategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

/** Options of {@link microsoft}. */
export interface MicrosoftOptions extends OAuthClientOptions {
  /**
   * Whose accounts: a directory's id or domain, `organizations` (of any directory), `consumers` (personal ones) or `common` (all).
   * Default: `common`.
   */
  tenant?: string | undefined;
}

const AUTHORITY = "https://login.microsoftonline.com";
/** The metadata of a tenant names its id, and that of many a template; tokens always say the directory of the person. */
const TEMPLATE = `${AUTHORITY}/{tenantid}/v2.0`;
const TENANT_ID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

const tenants: Tenants = {
  inMetadata: (issuer) => issuer === TEMPLATE || isTenants(issuer),
  issuerOf(inMetadata, { tid }) {
    if (inMetadata !== TEMPLATE) return inMetadata;
    return typeof tid === "string" && TENANT_ID.test(tid) ? TEMPLATE.replace("{tenantid}", tid) : null;
  },
  has: isTenants,
  // Entra's sign-out by frame has a `sid` alone. It is a random GUID, made by Entra itself whichever the directory: nobody who runs one
  // chooses it, no two sessions share it, and to guess it is hopeless. The issuer would add nothing to it, being public.
  // @see https://learn.microsoft.com/en-us/entra/identity-platform/v2-protocols-oidc#single-sign-out
  sidIssuer: AUTHORITY,
};

function isTenants(issuer: string): boolean {
  const [before = "", after = ""] = TEMPLATE.split("{tenantid}");
  return issuer.startsWith(before) && issuer.endsWith(after) && TENANT_ID.test(issuer.slice(before.length, -after.length));
}

/**
 * Sign in with Microsoft (Entra ID). Scope: `openid email profile`. The account's issuer is that of the person's own directory.
 * Anybody can run a directory and write any address into it, so one counts as verified only by the optional claim `xms_edov` (true).
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://learn.microsoft.com/en-us/entra/identity-platform/v2-protocols-oidc
 * @see https://learn.microsoft.com/en-us/entra/identity-platform/optional-claims-reference for `xms_edov`.
 */
export function microsoft(options: MicrosoftOptions): OAuthStrategy {
  const { tenant = "common" } = options ?? {};
  if (typeof tenant !== "string" || !/^[\w-]+(?:\.[\w-]+)*$/.test(tenant))
    throw new ConfigError("microsoft.tenant", 'give a directory\'s id or domain, "organizations", "consumers" or "common"');
  return oidcStrategy(
    {
      name: "microsoft",
      issuer: `${AUTHORITY}/${tenant.toLowerCase()}/v2.0`,
      tenants,
      userinfo: "never",
      profile: (standard, { xms_edov }) => ({ ...standard, emailVerified: xms_edov === true }),
    },
    options,
    ["tenant"],
  );
}
