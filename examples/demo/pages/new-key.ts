import type { Request } from "express";
import type { ApiKey } from "latchkey";
import { html, type Html } from "../html.ts";
import { layout } from "./layout.ts";
import { whoIsIn } from "./who-is-in.ts";

/** The one page that ever shows a key. */
export function newKeyPage({ apiKey, key, url, user }: { apiKey: ApiKey; key: string; url: string; user: Request["user"] }): Html {
  return layout({
    title: "Your new key",
    aside: whoIsIn(user),
    width: "wide",
    script: "/copy.js",
    main: html`
      <h1>Your new key</h1>
      <p class="message good" role="status">“${apiKey.name}” is ready. Copy it now: it is kept as a hash, so nobody can show it again.</p>
      <section class="card" aria-labelledby="key-title">
        <h2 id="key-title">The key</h2>
        ${copyable("key", key)}
      </section>
      <section class="card" aria-labelledby="curl-title">
        <h2 id="curl-title">Try it</h2>
        ${copyable("curl", `curl -H "Authorization: Bearer ${key}" ${url}/api/hello`)}
      </section>
      <p class="after"><a href="/#keys">Done, back to my account</a></p>
    `,
  });
}

/** The button shows once the script that serves it runs. */
function copyable(id: string, text: string): Html {
  return html`<div class="copyable">
    <pre tabindex="0"><code id="${id}">${text}</code></pre>
    <button type="button" class="small" data-copy="${id}" hidden>Copy</button>
    <span role="status"></span>
  </div>`;
}
