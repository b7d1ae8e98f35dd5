import type { Request } from "express";
import { html, type Html } from "../html.ts";

/** The end of the header: who is signed in, and the way out. */
export function whoIsIn(user: Request["user"]): Html {
  return html`<form class="who" method="post" action="/auth/sign-out">
    <span class="name">${nameOf(user)}</span>
    <input type="hidden" name="return_to" value="/sign-in?done=signed_out" />
    <input type="hidden" name="error_to" value="/sign-in" />
    <button class="small">Sign out</button>
  </form>`;
}

/** A name, or what stands before the `@`. */
export function nameOf(user: Request["user"]): string {
  return user?.name ?? user?.email?.split("@")[0] ?? "Somebody";
}
