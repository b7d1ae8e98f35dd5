import { z } from "zod";
import { assertKnown } from "../authenticate.ts";
import { establish, noteFailure } from "../establish.ts";
import { text } from "../input.ts";
import { ESTABLISHING, HOOK, PASSWORD_CHECK, RETURN_TO } from "../openapi-problems.ts";
import { signedInSchema } from "../openapi-schemas.ts";
import { tellLimits } from "../rate-limit.ts";
import { route } from "../route.ts";
import { chooseTransport, transportInput } from "../transports.ts";
import { passwordInput } from "./sign-up.ts";

/** Signing in by password. */
export const signInRoutes = [
  route({
    operationId: "signIn",
    method: "POST",
    path: "/sign-in",
    summary: "Signs in with an address and a password.",
    body: z.strictObject({
      email: text(320),
      password: passwordInput,
      transport: transportInput,
      return_to: text(2048).optional(),
    }),
    answers: {
      200: signedInSchema,
      303: RETURN_TO,
      problems: ["400 invalid_email", "403 email_not_confirmed", ...PASSWORD_CHECK, ...ESTABLISHING],
      default: HOOK,
    },
    async handle(call) {
      const { kit, http, req, body, source } = call;
      const { email, password } = body;
      const transport = chooseTransport(call, body.transport);
      assertKnown(req);
      const reply = await noteFailure(call, "password", async () => {
        const { userId, epoch } = await kit.passwords.signIn({ email, password, source, counted: tellLimits(call) });
        return await establish(call, { userId, epoch, method: "password", transport });
      });
      return { ...reply, location: http.returnTo(req, body.return_to) };
    },
  }),
];
