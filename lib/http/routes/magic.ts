import { z } from "zod";
import { publicCodeError } from "../../core/magic-codes.ts";
import { normaliseEmail } from "../../core/email-address.ts";
import { CredentialError } from "../../errors.ts";
import { assertKnown } from "../authenticate.ts";
import { establish, noteFailure } from "../establish.ts";
import { readCookie } from "../extract.ts";
import { text } from "../input.ts";
import { ESTABLISHING, HOOK, RETURN_TO, THROTTLED } from "../openapi-problems.ts";
import { codeSentSchema, signedInSchema } from "../openapi-schemas.ts";
import { tellLimits } from "../rate-limit.ts";
import { route, type RouteCall } from "../route.ts";
import { chooseTransport, transportInput } from "../transports.ts";

type Call = RouteCall<unknown, unknown, unknown>;

const METHOD = "magic_code";

/** Digits, with the spaces and dashes people type among them. */
export const codeInput = z
  .string()
  .max(32)
  .transform((typed) => typed.replaceAll(/[\s-]/g, ""));

/** Keeps the request id where only this browser has it; a client that is none gets it in the answer. */
export function rememberRequest({ kit, http, req, res }: Call, { requestId, expiresAt }: { requestId: string; expiresAt: number }) {
  http.cookies.set(res, http.cookies.pending, requestId, (expiresAt - kit.clock.now()) / 1000);
  const browser = req.get("sec-fetch-site") !== undefined || req.get("origin") !== undefined;
  return browser ? {} : { request_id: requestId };
}

/** One answer for whatever is wrong with a guess; throttling and outages speak for themselves. */
export function concealGuess(error: unknown): never {
  throw error instanceof CredentialError ? publicCodeError(error) : error;
}

/** Signing in by a code sent by mail. */
export const magicRoutes = [
  route({
    operationId: "magicSend",
    method: "POST",
    path: "/magic/send",
    summary: "Mails a code to an address, and with `link` a link that signs in as well, whether or not anybody is known by it.",
    body: z.strictObject({
      email: text(320),
      return_to: text(2048).optional(),
      link: z
        .union([z.boolean(), z.enum(["true", "false"])])
        .optional()
        .meta({ description: "Puts a link into the same mail. Default: false." }),
      link_return_to: text(2048).optional().meta({ description: "Where the link leads once it has signed in. Default: `return_to`." }),
    }),
    answers: { 200: codeSentSchema, 303: RETURN_TO, problems: ["400 invalid_email", ...THROTTLED] },
    async handle(call) {
      const { kit, http, req, body, source } = call;
      const email = normaliseEmail(body.email);
      const user = await kit.users.findByEmail(email);
      const replaces = readCookie(req, http.cookies.pending);
      // Where the link leads is made safe now, and again when it is used.
      const target = body.link_return_to ?? body.return_to;
      const asked = { origin: http.origin(req), returnTo: target === undefined ? null : http.returnTo(req, target) };
      const link = body.link === true || body.link === "true" ? asked : undefined;
      const wanted = { email, purpose: "sign_in" as const, source, userId: user?.id ?? null, replaces, link };
      const request = await kit.magicCodes.request({ ...wanted, counted: tellLimits(call) });
      const message = "A code is on its way to that address.";
      return { json: { message, ...rememberRequest(call, request) }, location: http.returnTo(req, body.return_to) };
    },
  }),

  route({
    operationId: "magicVerify",
    method: "POST",
    path: "/magic/verify",
    summary: "Signs in with a mailed code.",
    body: z.strictObject({
      code: codeInput,
      request_id: text(128).optional(),
      email: text(320).optional(),
      transport: transportInput,
      return_to: text(2048).optional(),
    }),
    limit: "300/1h",
    answers: {
      200: signedInSchema,
      303: RETURN_TO,
      problems: ["400 invalid_email", "401 invalid_code", ...ESTABLISHING, ...THROTTLED],
      default: HOOK,
    },
    async handle(call) {
      const { kit, http, req, res, body, source } = call;
      const requestId = body.request_id ?? readCookie(req, http.cookies.pending);
      const email = body.email === undefined ? undefined : normaliseEmail(body.email);
      const guess = { requestId, email, code: body.code, purpose: "sign_in" as const, source };
      // Before the code is spent.
      const transport = chooseTransport(call, body.transport);
      assertKnown(req);
      const reply = await noteFailure(call, METHOD, async () => {
        const verified = await kit.magicCodes.verify(guess).catch(concealGuess);
        const { userId, epoch } = await kit.signIn.withEmail(verified.email, { source });
        return await establish(call, { userId, epoch, method: METHOD, transport });
      });
      http.cookies.clear(res, http.cookies.pending);
      return { ...reply, location: http.returnTo(req, body.return_to) };
    },
  }),
];
