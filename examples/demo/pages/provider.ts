import { html, type Html } from "../html.ts";
import { layout } from "./layout.ts";

/** What Demo ID asks: who are you? `refused` is a name it did not take. */
export function providerPage({ app, refused }: { app: string; refused?: string }): Html {
  return layout({
    title: "Sign in",
    site: "provider",
    main: html`
      <h1>Who are you?</h1>
      <p class="lead"><strong>latchkey demo</strong> at ${new URL(app).host} asks for your name and email address.</p>
      <div role="status" id="message">
        ${refused !== undefined && html`<p class="message bad">Use up to 40 letters, digits, dots and dashes, such as ada.lovelace.</p>`}
      </div>
      <form method="post">
        <label for="login">Name</label>
        <input
          id="login"
          name="login"
          value="${refused}"
          autocomplete="username"
          autocapitalize="none"
          spellcheck="false"
          maxlength="40"
          required
          autofocus
          aria-describedby="message hint"
        />
        <p class="hint" id="hint">This provider runs on your machine and believes everybody: no password, any name.</p>
        <button class="primary">Continue</button>
        <button name="cancel" formnovalidate>Cancel</button>
      </form>
    `,
  });
}

export function providerErrorPage(app: string): Html {
  return layout({
    title: "Start again",
    site: "provider",
    main: html`
      <h1>Start again</h1>
      <p class="lead">This sign-in is over, or was not begun here.</p>
      <p class="after"><a href="${app}/sign-in">Back to latchkey demo</a></p>
    `,
  });
}
