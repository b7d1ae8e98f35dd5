import { html, type Html } from "../html.ts";

export interface CodeForm {
  action: string;
  /** The page the form is on: where a wrong code leads. */
  page: string;
  returnTo: string;
  button: string;
  /** More hidden fields. */
  fields?: Html;
}

/** A form for a mailed code. Blanks and dashes in it do not matter. */
export function codeForm({ action, page, returnTo, button, fields }: CodeForm): Html {
  return html`<form method="post" action="${action}">
    <label for="code">Code</label>
    <input
      id="code"
      name="code"
      class="code"
      inputmode="numeric"
      autocomplete="one-time-code"
      pattern="[0-9 \\-]{8,12}"
      title="Eight digits"
      maxlength="12"
      required
      autofocus
      aria-describedby="message"
    />
    ${fields}
    <input type="hidden" name="return_to" value="${returnTo}" />
    <input type="hidden" name="error_to" value="${page}" />
    <button class="primary">${button}</button>
  </form>`;
}
