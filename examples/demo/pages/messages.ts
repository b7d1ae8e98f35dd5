import type { Request } from "express";
import { html, type Html } from "../html.ts";

/** What was done, by the `done` of a page's URL. */
const DONE = new Map(
  Object.entries({
    signed_out: "You are signed out.",
    session_ended: "That session has ended.",
    others_ended: "You are signed out everywhere else.",
    linked: "Your Demo ID is linked.",
    unlinked: "Your Demo ID is unlinked.",
    key_revoked: "That key no longer opens anything.",
    confirmed: "Thank you. For the next ten minutes you can make changes.",
  }),
);

/** latchkey's codes of errors, in this application's words. */
const ERRORS = new Map(
  Object.entries({
    invalid_code: "That is not the code, or it is no longer good. Check it, or ask for a new one.",
    invalid_email: "That is not an email address. Write it like ada@example.com.",
    invalid_request: "Something is missing there. Please fill it in.",
    invalid_name: "Give the key a name of up to 100 characters.",
    rate_limited: "That was a little often. Wait a minute, then try again.",
    too_many_api_keys: "You have as many keys as one person may have. Revoke one first.",
    last_way_in: "That is your only way in, so it stays.",
    authentication_required: "Sign in first.",
    session_not_found: "Your session has ended. Sign in again.",
    session_revoked: "Your session has ended. Sign in again.",
    insufficient_user_authentication: "Show that it is you first, then do it again.",
    cross_site_request: "That came from another site, so nothing was done.",
    not_found: "There is nothing here.",
    account_not_found: "That account is no longer linked.",
    storage_unavailable: "The store cannot be reached right now. Try again in a moment.",
  }),
);

export function errorText(code: string): string {
  return ERRORS.get(code) ?? "That did not work. Please try again.";
}

/** What the URL of a page says has happened, for a place that screen readers announce. */
export function message({ done, error }: Request["query"]): Html {
  const good = typeof done === "string" ? DONE.get(done) : undefined;
  const bad = typeof error === "string" ? errorText(error) : undefined;
  return html`<div role="status" id="message">
    ${good && html`<p class="message good">${good}</p>`} ${bad && html`<p class="message bad">${bad}</p>`}
  </div>`;
}
