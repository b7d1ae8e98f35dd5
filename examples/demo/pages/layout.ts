import { html, type Html } from "../html.ts";

export interface Layout {
  /** Without the demo's name. */
  title: string;
  main: Html;
  /** What the header says at its end, such as who is signed in. */
  aside?: Html | undefined;
  /** Whose page it is. Default: the demo's. */
  site?: "demo" | "provider";
  /** `wide` for the page with lists. Default: one narrow card. */
  width?: "narrow" | "wide";
  /** Modules of `public/` that make a page handier. It works without. */
  script?: string;
}

const SITES = {
  demo: { name: "latchkey demo", icon: "/icon.svg" },
  provider: { name: "Demo ID", icon: "/provider.svg" },
} as const;

/** A whole page. */
export function layout({ title, main, aside, site = "demo", width = "narrow", script }: Layout): Html {
  const { name, icon } = SITES[site];
  return html`<!doctype html>
    <html lang="en" class="${site} ${width}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title} · ${name}</title>
        <link rel="icon" href="${icon}" />
        <link rel="stylesheet" href="/style.css" />
        ${script && html`<script type="module" src="${script}"></script>`}
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        <header>
          <a class="brand" ${site === "demo" ? html`href="/"` : ""}><img src="${icon}" alt="" width="32" height="32" /> ${name}</a>
          ${aside}
        </header>
        <main id="main" tabindex="-1">${main}</main>
      </body>
    </html>`;
}
