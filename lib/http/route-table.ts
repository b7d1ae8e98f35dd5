import type { AuthConfig } from "../options.ts";
import type { AnyRoute } from "./route.ts";
import { accountRoutes } from "./routes/accounts.ts";
import { apiKeyRoutes } from "./routes/api-keys.ts";
import { jwksRoutes } from "./routes/jwks.ts";
import { magicRoutes } from "./routes/magic.ts";
import { oauthRoutes } from "./routes/oauth.ts";
import { reauthenticateRoutes } from "./routes/reauthenticate.ts";
import { sessionRoutes } from "./routes/sessions.ts";

/** Whether codes are mailed: not in production without a transport. */
export function mailsCodes({ email, production }: Pick<AuthConfig, "email" | "production">): boolean {
  return email !== null || !production;
}

/** Every route that these options switch on, as data: read by the router, and by whatever describes or tests the API. */
export function routeTable(config: Pick<AuthConfig, "email" | "production" | "apiKeyRoutes"> & { readonly tokens?: AuthConfig["tokens"] }) {
  return [
    ...sessionRoutes,
    ...reauthenticateRoutes,
    ...oauthRoutes,
    ...accountRoutes,
    ...(mailsCodes(config) ? magicRoutes : []),
    ...(config.apiKeyRoutes ? apiKeyRoutes : []),
    ...(config.tokens ? jwksRoutes : []),
  ] as readonly AnyRoute[];
}
