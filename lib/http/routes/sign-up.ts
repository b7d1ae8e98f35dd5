import { z } from "zod";
import { establish } from "../establish.ts";
import { text } from "../input.ts";
import { ESTABLISHING, HOOK, PASSWORD_CHOICE, RETURN_TO } from "../openapi-problems.ts";
import { messageSchema, signedInSchema } from "../openapi-schemas.ts";
import { tellLimits } from "../rate-limit.ts";
import { route } from "../route.ts";
import { chooseTransport, transportInput } from "../transports.ts";

/** As long as the longest password may be before its form is known; what is too long by then costs no hash. */
export const passwordInput = z.string().min(1).max(1024);

/** New users with a password. */
export const signUpRoutes = [
  route({
    operationId: "signUp",
    method: "POST",
    path: "/sign-up",
    summary:
      "Makes a user with a password. Where the address has to be confirmed, a link is mailed and the answer is the same for everybody.",
    limit: "100/1h",
    body: z.strictObject({
      email: text(320),
      password: passwordInput,
      name: text(200).optional(),
      transport: transportInput,
      return_to: text(2048).optional(),
    }),
    answers: {
      200: z.union([signedInSchema, messageSchema]),
      303: RETURN_TO,
      problems: ["400 invalid_email", "409 email_taken", ...PASSWORD_CHOICE, ...ESTABLISHING],
      default: HOOK,
    },
    async handle(call) {
      const { kit, http, req, body, source } = call;
      // Before anybody is made.
      const transport = chooseTransport(call, body.transport);
      const { email, password, name } = body;
      const resolved = await kit.passwords.signUp({ email, password, name, source, origin: http.origin(req), counted: tellLimits(call) });
      const location = http.returnTo(req, body.return_to);
      if (!resolved) return { json: { message: "Almost done: open the link in the mail that is on its way to you." }, location };
      const { userId, epoch } = resolved;
      return { ...(await establish(call, { userId, epoch, method: "password", transport })), location };
    },
  }),
];
