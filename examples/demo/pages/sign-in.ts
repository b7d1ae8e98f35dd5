import type { Request } from "express";
import { html, type Html } from "../html.ts";
import { codeForm } from "./code-form.ts";
import { layout } from "./layout.ts";
import { message } from "./messages.ts";

/** Two ways in: a link to latchkey's route of the provider, and a form for its route that mails a code. */
export function signInPage(query: Request["query"]): Html {
  return layout({
    title: "Sign in",
    main: html`
      <h1>Sign in</h1>
      <p class="lead">There is nothing to register: whoever signs in for the first time gets an account.</p>
      ${message(query)}
      <a class="button primary" href="/auth/login/demo-id?return_to=/"
        ><img src="/provider.svg" alt="" width="22" height="22" /> Continue with Demo ID</a
      >
      <p class="or"><span>or</span></p>
      <form method="post" action="/auth/magic/send">
        <label for="email">Email address</label>
        <input
          id="email"
          name="email"
          type="email"
          autocomplete="email"
          placeholder="ada@example.com"
          required
          aria-describedby="message hint"
        />
        <p class="hint" id="hint">The code is printed in the terminal that runs this demo. No mail is sent, so any address will do.</p>
        <input type="hidden" name="return_to" value="/sign-in/code" />
        <input type="hidden" name="error_to" value="/sign-in" />
        <button>Send me a code</button>
      </form>
    `,
  });
}

export function codePage(query: Request["query"]): Html {
  return layout({
    title: "Enter your code",
    main: html`
      <h1>Enter your code</h1>
      <p class="lead">Look at the terminal that runs this demo: eight digits, good for ten minutes.</p>
      ${message(query)} ${codeForm({ action: "/auth/magic/verify", page: "/sign-in/code", returnTo: "/", button: "Sign in" })}
      <p class="after"><a href="/sign-in">Use another address, or another way</a></p>
    `,
  });
}
