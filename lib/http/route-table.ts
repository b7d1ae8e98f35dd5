import { sendsMail } from "../email/mailer.ts";
import type { AuthConfig } from "../options.ts";
import type { AnyRoute } from "./route.ts";
import { accountRoutes } from "./routes/accounts.ts";
import { adminRoutes } from "./routes/admin.ts";
import { apiKeyRoutes } from "./routes/api-keys.ts";
import { emailRoutes } from "./routes/email.ts";
import { jwksRoutes } from "./routes/jwks.ts";
import { magicLinkRoutes } from "./routes/magic-link.ts";
import { magicRoutes } from "./routes/magic.ts";
import { oauthRoutes } from "./routes/oauth.ts";
import { openapiRoutes } from "./routes/openapi.ts";
import { passwordLinkRoutes, passwordRoutes } from "./routes/password.ts";
import { reauthenticateRoutes } from "./routes/reauthenticate.ts";
import { refreshRoutes } from "./routes/refresh.ts";
import { sessionRoutes } from "./routes/sessions.ts";
import { signInRoutes } from "./routes/sign-in.ts";
import { signUpRoutes } from "./routes/sign-up.ts";

/** Every route that these options switch on, as data: read by the router, and by whatever describes or tests the API. */
export function routeTable(
  config: Pick<AuthConfig, "email" | "production" | "apiKeyRoutes"> & Partial<Pick<AuthConfig, "tokens" | "passwordRoutes">>,
) {
  return [
    ...sessionRoutes,
    ...reauthenticateRoutes,
    ...oauthRoutes,
    ...accountRoutes,
    ...(sendsMail(config) ? [...magicRoutes, ...magicLinkRoutes] : []),
    ...(config.passwordRoutes ? [...signUpRoutes, ...signInRoutes, ...passwordRoutes] : []),
    ...(config.passwordRoutes && sendsMail(config) ? [...passwordLinkRoutes, ...emailRoutes] : []),
    ...(config.apiKeyRoutes ? apiKeyRoutes : []),
    ...(config.tokens ? [...(config.tokens.stateless ? [] : refreshRoutes), ...jwksRoutes] : []),
    ...adminRoutes,
    ...openapiRoutes,
  ] as readonly AnyRoute[];
}
