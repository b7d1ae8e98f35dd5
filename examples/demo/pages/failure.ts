import { html, type Html } from "../html.ts";
import { layout } from "./layout.ts";
import { errorText } from "./messages.ts";

export function failurePage(code: string): Html {
  return layout({
    title: "That did not work",
    main: html`
      <h1>That did not work</h1>
      <p class="lead">${errorText(code)}</p>
      <p class="after"><a href="/">Go to the start page</a></p>
    `,
  });
}
