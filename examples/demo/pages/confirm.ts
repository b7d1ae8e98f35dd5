import type { Request } from "express";
import type { Accounts } from "latchkey";
import { html, type Html } from "../html.ts";
import { codeForm } from "./code-form.ts";
import { layout } from "./layout.ts";
import { message } from "./messages.ts";
import { whoIsIn } from "./who-is-in.ts";

type Confirm = { user: Request["user"]; query: Request["query"] };

/** Proving again who one is, for what a session left open in a café must not do. */
export function confirmPage({ user, accounts, query }: Confirm & { accounts: Awaited<ReturnType<Accounts["listForUser"]>> }): Html {
  const hasDemoId = accounts.some(({ providerId }) => providerId === "demo-id");
  return layout({
    title: "Is it still you?",
    aside: whoIsIn(user),
    main: html`
      <h1>Is it still you?</h1>
      <p class="lead">Keys and ways in are changed only by who proved within the last ten minutes that it is them.</p>
      ${message(query)}
      ${
        hasDemoId &&
        html`<form method="post" action="/auth/reauthenticate">
          <input type="hidden" name="method" value="provider" />
          <input type="hidden" name="provider" value="demo-id" />
          <input type="hidden" name="return_to" value="/?done=confirmed" />
          <input type="hidden" name="error_to" value="/confirm" />
          <button class="primary"><img src="/provider.svg" alt="" width="22" height="22" /> Confirm with Demo ID</button>
        </form>`
      }
      ${
        user?.email &&
        html`<form method="post" action="/auth/reauthenticate">
          <input type="hidden" name="method" value="magic_code" />
          <input type="hidden" name="return_to" value="/confirm/code" />
          <input type="hidden" name="error_to" value="/confirm" />
          <button>Send me a code</button>
        </form>`
      }
      <p class="after"><a href="/">Not now</a></p>
    `,
  });
}

export function confirmCodePage({ user, query }: Confirm): Html {
  const fields = html`<input type="hidden" name="method" value="magic_code" />`;
  return layout({
    title: "Enter your code",
    aside: whoIsIn(user),
    main: html`
      <h1>Enter your code</h1>
      <p class="lead">Look at the terminal that runs this demo.</p>
      ${message(query)}
      ${codeForm({ action: "/auth/reauthenticate", page: "/confirm/code", returnTo: "/?done=confirmed", button: "Confirm", fields })}
      <p class="after"><a href="/">Not now</a></p>
    `,
  });
}
