import { z } from "zod";
import { maskEmail } from "../../core/email-address.ts";
import type { OpenedLink } from "../../core/magic-codes.ts";
import { CredentialError } from "../../errors.ts";
import { escapeHtml } from "../../escape-html.ts";
import { assertKnown } from "../authenticate.ts";
import { establish, noteFailure } from "../establish.ts";
import { readCookie } from "../extract.ts";
import { ERROR_TO } from "../form-refusal.ts";
import { ESTABLISHING, HOOK, RETURN_TO } from "../openapi-problems.ts";
import { signedInSchema } from "../openapi-schemas.ts";
import { alert, page, START_PAGE } from "../page.ts";
import { route, type RouteCall } from "../route.ts";
import { chooseTransport, transportInput } from "../transports.ts";
import { tokenInput } from "./password.ts";

type Call = RouteCall<unknown, unknown, unknown>;

const METHOD = "magic_link";
const PATH = "/magic/link";

/** Why a link did not sign in. What is not listed may work when it is tried again. */
const REFUSALS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    invalid_token:
      "This link is wrong or no longer good: it was used, or its code was, or it is too old, or a newer one was sent. Ask for a new one where you sign in.",
    user_disabled: "This account is disabled.",
    user_not_found: "This account no longer exists.",
  }),
);

/** What the link stands for; `null` when it is not good. An outage is no answer. */
async function openedBy({ kit, http, req }: Call, token: string): Promise<OpenedLink | null> {
  try {
    return await kit.magicCodes.findLink({ token, requestId: readCookie(req, http.cookies.pending) });
  } catch (error) {
    if (error instanceof CredentialError) return null;
    throw error;
  }
}

/** Nobody is signed in unawares: not to a stranger's account, by a link of theirs, and not out of their own. */
function warnings({ req }: Call, { userId, askedHere }: OpenedLink): string {
  const { auth } = req;
  const other = (auth.kind === "session" || auth.kind === "access_token") && auth.userId !== userId;
  return [
    askedHere
      ? ""
      : "<p>It was asked for in another browser. If it was not you who asked, or this is not your address, close this page.</p>\n",
    other ? "<p>You are signed in here as somebody else: that session ends.</p>\n" : "",
  ].join("");
}

/** Signing in by the link in the mail of a code. */
export const magicLinkRoutes = [
  route({
    operationId: "magicLinkPage",
    method: "GET",
    path: PATH,
    summary:
      "A page that says whom a mailed link signs in, with the form that does: opening the link alone, as mail scanners do, spends nothing.",
    query: z.object({ token: tokenInput, error: z.string().max(64).optional() }),
    answers: {
      page: "The form that spends the token.",
      errorPage: "Why this link signs nobody in, and what to do.",
      problems: ["401 invalid_token"],
    },
    async handle(call) {
      const { http, req, query } = call;
      const here = `${http.basePath}${PATH}`;
      const { token, error } = query;
      const opened = await openedBy(call, token);
      if (!opened)
        return {
          status: 401,
          html: page("You were not signed in", alert(REFUSALS.get(error ?? "") ?? REFUSALS.get("invalid_token")) + START_PAGE),
        };
      const target = http.returnTo(req, opened.returnTo ?? undefined);
      return {
        ...(target.startsWith("/") ? {} : { leadsTo: new URL(target).origin }),
        html: page(
          "Sign in",
          `${error === undefined ? "" : alert("That did not work. Try again.")}<p>This signs this browser in as <b>${escapeHtml(maskEmail(opened.email))}</b>.</p>
${warnings(call, opened)}<form method="post" action="${escapeHtml(here)}">
<input type="hidden" name="token" value="${escapeHtml(token)}">
<input type="hidden" name="${ERROR_TO}" value="${escapeHtml(`${here}?token=${encodeURIComponent(token)}`)}">
<p><button>Sign in</button></p>
</form>`,
        ),
      };
    },
  }),

  route({
    operationId: "magicLink",
    method: "POST",
    path: PATH,
    summary: "Signs in by the token of a mailed link, and voids the code in the same mail.",
    body: z.strictObject({ token: tokenInput, transport: transportInput }),
    limit: "300/1h",
    answers: { 200: signedInSchema, 303: RETURN_TO, problems: ["401 invalid_token", ...ESTABLISHING], default: HOOK },
    async handle(call) {
      const { kit, http, req, res, body, source } = call;
      // Before the link is spent.
      const transport = chooseTransport(call, body.transport);
      assertKnown(req);
      const { reply, returnTo } = await noteFailure(call, METHOD, async () => {
        const verified = await kit.magicCodes.verifyLink({ token: body.token, source });
        const { userId, epoch } = await kit.signIn.withEmail(verified.email, { source });
        return { reply: await establish(call, { userId, epoch, method: METHOD, transport }), returnTo: verified.returnTo };
      });
      http.cookies.clear(res, http.cookies.pending);
      return { ...reply, location: http.returnTo(req, returnTo ?? undefined) };
    },
  }),
];
