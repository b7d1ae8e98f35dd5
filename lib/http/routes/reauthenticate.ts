import { z } from "zod";
import { CredentialError, RequestError } from "../../errors.ts";
import { readCookie } from "../extract.ts";
import { text } from "../input.ts";
import { OWN_SESSION, ownSession } from "../own-session.ts";
import { beginRoundTrip, leading } from "../round-trip.ts";
import { HOOK, PASSWORD_CHECK, PROVIDER, RACED } from "../openapi-problems.ts";
import { codeSentSchema, onwardSchema, steppedUpSchema } from "../openapi-schemas.ts";
import { tellLimits } from "../rate-limit.ts";
import { route } from "../route.ts";
import { passwordInput } from "./sign-up.ts";
import { codeInput, concealGuess, rememberRequest } from "./magic.ts";
import { sendSession } from "../transports.ts";

/** Step-up: proving again, in the middle of a session, who one is. */
export const reauthenticateRoutes = [
  route({
    operationId: "reauthenticate",
    method: "POST",
    path: "/reauthenticate",
    summary: "Makes this session fresh: by the password, by a mailed code (without `code` one is sent), or by a round trip to a provider.",
    guard: OWN_SESSION,
    body: z.strictObject({
      method: z.enum(["magic_code", "provider", "password"]),
      password: passwordInput.optional(),
      code: codeInput.optional(),
      request_id: text(128).optional(),
      provider: z
        .string()
        .regex(/^[\w.-]{1,64}$/)
        .optional(),
      return_to: text(2048).optional(),
      error_to: text(2048).optional(),
    }),
    answers: {
      200: z.union([steppedUpSchema, codeSentSchema, onwardSchema]),
      303: "To the provider, or to `return_to`.",
      problems: [
        "400 method_not_available",
        "401 no_email",
        "401 invalid_code",
        "401 user_disabled",
        ...PASSWORD_CHECK,
        ...PROVIDER,
        ...RACED,
      ],
      default: HOOK,
    },
    async handle(call) {
      const { kit, http, req, res, body, source } = call;
      const session = ownSession(req);
      const { userId } = session;
      const returnTo = http.returnTo(req, body.return_to);

      if (body.method === "provider") {
        if (body.provider === undefined) throw new RequestError('Name the "provider"');
        const intent = { intent: "reauthenticate" as const, ...leading(call, body), userId, sessionId: session.id };
        return beginRoundTrip({ ...call, params: { provider: body.provider } }, intent);
      }

      const stepUp = async (method: string) => {
        const methods = [...new Set([...session.methods, method])];
        const issued = await kit.sessions.rotate(session, { authenticatedAt: kit.clock.now(), methods });
        const authenticatedAt = new Date(issued.session.authenticatedAt).toISOString();
        return { json: { authenticated_at: authenticatedAt, ...(await sendSession(call, issued)) }, location: returnTo };
      };

      if (body.method === "password") {
        if (!http.passwords) throw new RequestError("There are no passwords here", "method_not_available");
        if (body.password === undefined) throw new RequestError('Give the "password"');
        await kit.passwords.verify({ userId, password: body.password, source, counted: tellLimits(call) });
        return stepUp("password");
      }

      if (!http.mailsCodes) throw new RequestError("No codes are mailed here: use a provider", "method_not_available");
      const email = (await kit.users.findById(userId))?.email;
      if (!email) throw new CredentialError("no_email", "This account has no address a code could go to");
      if (body.code === undefined) {
        const replaces = readCookie(req, http.cookies.pending);
        const request = await kit.magicCodes.request({
          email,
          purpose: "reauthenticate",
          source,
          userId,
          replaces,
          counted: tellLimits(call),
        });
        return { json: { message: "A code is on its way to your address.", ...rememberRequest(call, request) }, location: returnTo };
      }
      const requestId = body.request_id ?? readCookie(req, http.cookies.pending);
      await kit.magicCodes.verify({ requestId, email, code: body.code, purpose: "reauthenticate", source, userId }).catch(concealGuess);
      const reply = await stepUp("magic_code");
      http.cookies.clear(res, http.cookies.pending);
      return reply;
    },
  }),
];
