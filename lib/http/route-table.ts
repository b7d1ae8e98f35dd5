import type { AuthConfig } from "../options.ts";
import type { AnyRoute } from "./route.ts";
import { accountRoutes } from "./routes/accounts.ts";
import { apiKeyRoutes } from "./routes/api-keys.ts";
import { magicRoutes } from "./routes/magic.ts";
import { oauthRoutes } from "./routes/oauth.ts";
import { reauthenticateRoutes } from "./routes/reauthenticate.ts";
import { sessionRoutes } from "./routes/sessions.ts";

/** Every route that these options switch on, as data: read by the router, and by whatever describes or tests the API. */
export function routeTable({ email, production, apiKeyRoutes: withApiKeys }: Pick<AuthConfig, "email" | "production" | "apiKeyRoutes">) {
  return [
    ...sessionRoutes,
    ...reauthenticateRoutes,
    ...oauthRoutes,
    ...accountRoutes,
    ...(email || !production ? magicRoutes : []),
    ...(withApiKeys ? apiKeyRoutes : []),
  ] as readonly AnyRoute[];
}
